// Every record of a study's folder: what is read is what was written, and damage is one line with the file and the key.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>

#include "core/error.h"
#include "core/numbers.h"
#include "studies/folder/analysis_lock.h"
#include "studies/folder/records/bundle.h"
#include "studies/folder/records/cell.h"
#include "studies/folder/records/claim.h"
#include "studies/folder/records/deployment.h"
#include "studies/folder/records/made.h"
#include "studies/folder/records/plan.h"
#include "studies/folder/records/provenance.h"
#include "studies/folder/records/result.h"

namespace absorb {
namespace {

// As a record was before it had a checksum: what a test changes would else be refused for that.
Json unsealed(const std::string& text) {
  Json json = Json::parse(text);
  EXPECT_EQ(json.erase("checksum"), 1U);
  return json;
}

template <class S>
class StudiesRecords : public testing::Test {
 protected:
  StudiesRecords() { std::filesystem::create_directories(folder_); }
  ~StudiesRecords() override { std::filesystem::remove_all(folder_); }

  /// Reading `text` is refused in one line that names the file and `words`.
  void refused(const std::string& text, const std::string& words) const {
    write_file(file_, text);
    try {
      read_record<S>(file_);
      ADD_FAILURE() << "accepted: " << text;
    } catch (const UserError& error) {
      const std::string line = error.what();
      EXPECT_NE(line.find(file_.string()), std::string::npos) << line;
      EXPECT_NE(line.find(words), std::string::npos) << "expected: " << words << "\ngot: " << line;
      EXPECT_EQ(line.find('\n'), std::string::npos) << line;
    }
  }

  Path folder_ = std::filesystem::temp_directory_path() / fmt::format("absorb-records-{}", ::getpid());
  Path file_ = folder_ / "record.json";
};

using Kinds = testing::Types<PlanRecord, LockRecord, CellRecord, ProvenanceRecord, ResultRecord, DeploymentRecord,
                             FilesRecord, BundleRecord, ClaimRecord, MadeRecord>;
TYPED_TEST_SUITE(StudiesRecords, Kinds);

TYPED_TEST(StudiesRecords, OnesThatAreNoRecordAreRefused) {
  const std::string whole = record_text(TypeParam());
  for (const std::string& text :
       {std::string(), std::string("[]"), std::string("3"), std::string("null"), whole.substr(0, whole.size() / 2)})
    this->refused(text, "is no JSON object");
}

TYPED_TEST(StudiesRecords, AMissingKeyIsNamed) {
  const Json whole = unsealed(record_text(TypeParam()));
  TypeParam blank;
  std::string first;
  for (const RecordFieldDoc& row : document_record(detail::list_of(blank))) {
    if (row.key.find('.') != std::string::npos) continue;
    Json without = whole;
    without.erase(row.key);
    if (row.may_lack) {
      write_file(this->file_, without.dump());
      EXPECT_NO_THROW(read_record<TypeParam>(this->file_)) << row.key;
      continue;
    }
    if (first.empty()) first = row.key;
    this->refused(without.dump(), "`" + row.key + "`");
  }
  ASSERT_FALSE(first.empty());
  this->refused("{}", "holds no `" + first + "`");
}

TYPED_TEST(StudiesRecords, AnotherTypeIsNamed) {
  const Json whole = unsealed(record_text(TypeParam()));
  TypeParam blank;
  for (const RecordFieldDoc& row : document_record(detail::list_of(blank))) {
    if (row.key.find('.') != std::string::npos) continue;
    Json other = whole;
    other[row.key] =
        row.type.ends_with("by name") || row.type == "object" ? Json("word") : Json{{"key", Json::array()}};
    this->refused(other.dump(), "`" + row.key);
  }
}

TYPED_TEST(StudiesRecords, ALaterFormatIsRefusedWithBothNumbers) {
  Json later = unsealed(record_text(TypeParam()));
  EXPECT_EQ(later["format"], folder_format);
  later["format"] = folder_format + 1;
  this->refused(later.dump(), fmt::format("is of format {}, and this absorb reads formats 0 to {}", folder_format + 1,
                                          folder_format));
  later["format"] = "new";
  this->refused(later.dump(), "`format` must be a whole number");
}

TYPED_TEST(StudiesRecords, AnotherContentThanItWasSealedWithIsRefused) {
  const std::string whole = record_text(TypeParam());
  Json other = Json::parse(whole);
  other["format"] = 0;
  this->refused(other.dump(), "was changed or damaged");
  write_file(this->file_, Json::parse(whole).dump(7));  // white space is no content
  EXPECT_NO_THROW(read_record<TypeParam>(this->file_));
}

TYPED_TEST(StudiesRecords, WhatIsWrittenIsRead) {
  write_record(this->file_, TypeParam());
  EXPECT_EQ(record_text(read_record<TypeParam>(this->file_)), read_file(this->file_));
}

class StudiesRecord : public testing::Test {
 protected:
  StudiesRecord() { std::filesystem::create_directories(folder_); }
  ~StudiesRecord() override { std::filesystem::remove_all(folder_); }
  Path folder_ = std::filesystem::temp_directory_path() / fmt::format("absorb-record-{}", ::getpid());
};

ResultRecord result() {
  ResultRecord record;
  record.val_loss = 0.1 + 0.2;
  record.test_loss = nan;
  record.evaluations = {{"native", 0.3}, {"swap", nan}};
  record.health = {{"0.attention", nan, 1.5, nan, 0.25, 0.5, nan, 0.125, 2}};
  record.parameters = {6, 5, 4, 3, 2, 1};
  return record;
}

TEST_F(StudiesRecord, KeepsEveryDigitAndWhatDoesNotExist) {
  const Path file = folder_ / "result.json";
  write_record(file, result());
  const Json json = Json::parse(read_file(file));
  EXPECT_TRUE(json.at("test_loss").is_null());
  EXPECT_EQ(json.at("health")[0].at("entropy"), 1.5);
  const auto read = read_record<ResultRecord>(file);
  EXPECT_EQ(read.val_loss, 0.1 + 0.2);
  EXPECT_TRUE(std::isnan(read.test_loss));
  EXPECT_TRUE(std::isnan(read.evaluations.at("swap")));
  EXPECT_EQ(read.health.at(0).site, "0.attention");
  EXPECT_TRUE(std::isnan(read.health.at(0).load_imbalance));
  EXPECT_EQ(read.parameters.non_embedding, 4);
}

TEST_F(StudiesRecord, HasItsNamesInResultsAndColumns) {
  const Json shown = published(result());
  EXPECT_EQ(shown.at("health")[0].at("router_entropy"), 1.5);
  EXPECT_FALSE(shown.at("health")[0].contains("entropy"));
  EXPECT_TRUE(shown.at("bpb").is_number());
  EXPECT_FALSE(shown.contains("val_tokens"));
  std::vector<std::string> names;
  for (const auto& [name, value] : columns(result())) names.push_back(name);
  EXPECT_EQ(join(names),
            "val_loss, bpb, test_loss, parameters_unique, parameters_untied, parameters_non_embedding, "
            "parameters_module, parameters_router, parameters_trained, flops_per_token, router_displacement, top_k, "
            "mass_top_k, mass_uniform");
}

TEST_F(StudiesRecord, LeavesOutWhatHoldsNothingWhereItMay) {
  DeploymentRecord record;
  record.deployment = "soft";
  record.closed = 1.5;
  const Json json = Json::parse(record_text(record));
  EXPECT_EQ(json.at("closed"), 1.5);
  for (const char* key : {"open", "compounding", "hardening", "gain_correlation"})
    EXPECT_FALSE(json.contains(key)) << key;
}

TEST_F(StudiesRecord, AFaultInsideAnotherIsNamedWithItsWay) {
  const Path file = folder_ / "result.json";
  Json json = unsealed(record_text(result()));
  json["health"][0]["margin"] = "wide";
  write_file(file, json.dump());
  try {
    read_record<ResultRecord>(file);
    ADD_FAILURE();
  } catch (const UserError& error) {
    EXPECT_NE(std::string(error.what()).find("`health[0].margin` must be a number or null but is \"wide\""),
              std::string::npos)
        << error.what();
  }
}

PlanRecord plan() {
  PlanRecord record;
  PlannedRun parent{"learned", "both", {}, 1, "learned.both/seed-1", "id", "", "", {}};
  PlannedRun child{"again", "both", {}, 1, "again.both/seed-1", "id2", parent.folder, "", {{"soft", "id3"}}};
  record.runs = {parent, child};
  return record;
}

TEST_F(StudiesRecord, APlanNamesOnlyWhatIsThere) {
  const auto refused = [&](const PlanRecord& record, const std::string& words) {
    write_plan(folder_, record);
    try {
      read_plan(folder_);
      ADD_FAILURE() << words;
    } catch (const UserError& error) {
      EXPECT_NE(std::string(error.what()).find(words), std::string::npos) << error.what();
    }
  };
  write_plan(folder_, plan());
  EXPECT_EQ(read_plan(folder_).runs.at(1).deployments.at(0).identity, "id3");
  EXPECT_FALSE(read_plan(folder_).square());
  for (const char* folder : {"../elsewhere/seed-1", "/tmp/seed-1", "a/../../b", ""}) {
    PlanRecord outside = plan();
    outside.runs[1].folder = folder;
    refused(outside, "lies outside the study's");
  }
  PlanRecord twice = plan();
  twice.runs[1].folder = twice.runs[0].folder;
  refused(twice, "stands twice");
  PlanRecord orphan = plan();
  orphan.runs[1].parent = "random.both/seed-1";
  refused(orphan, "needs the run random.both/seed-1, which isn't planned");
  PlanRecord square = plan();
  square.corners = {"learned", "again", "nobody", "again"};
  refused(square, "the arm nobody, which has no run");
}

TEST_F(StudiesRecord, WhatWasMadeBeforeFormatsIsKnown) {
  write_file(folder_ / "made.json", R"({"recovery": "0123"})");
  EXPECT_EQ(read_made(folder_).measures.at("recovery"), "0123");
  write_file(folder_ / "made.json", R"({"recovery": 3})");
  EXPECT_TRUE(read_made(folder_).measures.empty());
}

}  // namespace
}  // namespace absorb
