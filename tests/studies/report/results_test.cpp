#include "studies/report/data/results.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "studies/report/data/csv.h"
#include "tests/studies/synthetic.h"

namespace absorb {
namespace {

std::vector<std::string> lines_of(const std::string& csv) {
  std::vector<std::string> lines;
  std::istringstream stream(csv);
  for (std::string line; std::getline(stream, line);) {
    EXPECT_TRUE(line.ends_with('\r')) << line;
    lines.push_back(line.substr(0, line.size() - 1));
  }
  return lines;
}

class StudiesResults : public testing::Test {
 protected:
  Study study = synthetic::small_study();
  std::vector<RunRecord> records = synthetic::small_records();
  StudyAnalysis analysis = analyse(study, records, {"routing gap"});
};

TEST_F(StudiesResults, JsonHoldsTheFieldsOfTheIssueWithHandCheckedNumbers) {
  const Json json = results_json(study, records, analysis);
  const Json& run = json.at("runs").at(1);
  EXPECT_EQ(run.at("arm"), "learned");
  EXPECT_EQ(run.at("target"), "attention");
  EXPECT_EQ(run.at("seed"), 1);
  EXPECT_DOUBLE_EQ(run.at("val_loss").get<double>(), 1.502);
  EXPECT_DOUBLE_EQ(run.at("ppl").get<double>(), std::exp(1.502));
  EXPECT_EQ(run.at("parameters").at("non_embedding"), 367'232);
  EXPECT_DOUBLE_EQ(run.at("tokens_per_sec").get<double>(), 12'345.5);
  EXPECT_DOUBLE_EQ(run.at("seconds").get<double>(), 100);
  const Json& row = json.at("contrasts").at(0);
  EXPECT_EQ(row.at("name"), "routing gap");
  EXPECT_EQ(row.at("treatment"), "learned");
  EXPECT_EQ(row.at("control"), "random");
  EXPECT_EQ(row.at("primary"), true);
  EXPECT_EQ(row.at("n"), 5);
  EXPECT_NEAR(row.at("mean_nats").get<double>(), 0.03, 1e-12);
  EXPECT_NEAR(row.at("sd").get<double>(), 0.0158113883, 1e-9);
  EXPECT_NEAR(row.at("ci95").at(0).get<double>(), 0.0103676, 1e-7);
  EXPECT_NEAR(row.at("ci95").at(1).get<double>(), 0.0496324, 1e-7);
  EXPECT_NEAR(row.at("p_t").get<double>(), 0.0132356, 1e-6);
  EXPECT_DOUBLE_EQ(row.at("p_sign_flip").get<double>(), 0.0625);
  EXPECT_DOUBLE_EQ(row.at("tost").at("margin_nats").get<double>(), 0.02);
  EXPECT_NEAR(row.at("tost").at("p").get<double>(), 0.884891, 1e-5);
  EXPECT_NEAR(row.at("holm_p").get<double>(), 0.0132356, 1e-6);
  EXPECT_EQ(row.at("verdict"), "different");
  EXPECT_NEAR(row.at("absorbed_fraction").at("value").get<double>(), 1 - 0.03 / 0.198, 1e-12);
  const Json& severity = json.at("severity").at(0);
  EXPECT_EQ(severity.at("between"), "attention - moe");
  EXPECT_NEAR(severity.at("mean_nats").get<double>(), 0.05, 1e-12);
  EXPECT_EQ(severity.at("n"), 5);
  EXPECT_EQ(severity.at("verdict"), "different");
  EXPECT_TRUE(json.at("severity").at(1).at("mean_nats").is_null());  // R is no number of nats
  EXPECT_EQ(json.at("concentration").at(0).at("masks"), "matter");
}

TEST_F(StudiesResults, WhatDoesNotExistIsNullInJsonAndEmptyInCsv) {
  records.resize(3);  // one seed of dense and attention
  records[1].state = "failed";
  records[1].val_loss = nan;
  records[1].failure = "NaN at step 3, \"early\"";
  analysis = analyse(study, records, {"routing gap"});
  const Json json = Json::parse(results_json(study, records, analysis).dump());
  EXPECT_TRUE(json.at("runs").at(1).at("val_loss").is_null());
  EXPECT_TRUE(json.at("runs").at(1).at("ppl").is_null());
  EXPECT_TRUE(json.at("contrasts").at(0).at("mean_nats").is_null());
  EXPECT_TRUE(json.at("contrasts").at(0).at("ci95").is_null());
  EXPECT_TRUE(json.at("contrasts").at(0).at("holm_p").is_null());
  const std::vector<std::string> rows = lines_of(runs_csv(records));
  ASSERT_EQ(rows.size(), 4u);
  EXPECT_EQ(rows[2].substr(0, 62), "learned,attention,1,failed,\"NaN at step 3, \"\"early\"\"\",,,2.1669");
  EXPECT_EQ(rows[3].substr(0, 29), "random,attention,1,done,,1.51");
}

TEST_F(StudiesResults, TablesAreTidyWithAColumnForEachAxis) {
  for (RunRecord& run : records) {
    run.cell = {{"routing.router.rank", "4"}};
    run.curve = {{10, 1000, 2.5, 2.25}, {20, 2000, 2.0, run.val_loss}};
  }
  const std::vector<std::string> evals = lines_of(evals_csv(records));
  EXPECT_EQ(evals[0],
            "arm,target,routing.router.rank,seed,phase,deployment,step,n_tokens_seen,train_loss,val_loss,ppl");
  EXPECT_EQ(evals[1], "dense,dense,4,1,training,native,10,1000,2.5,2.25,9.487735836358526");
  EXPECT_EQ(evals[3].substr(0, 40), "dense,dense,4,1,final,native,20,2000,,1.");
  EXPECT_EQ(evals.size(), 1u + 5 * (5 * 2 + 3 + 4 * 2));
  const std::vector<std::string> contrasts = lines_of(contrasts_csv(analysis));
  ASSERT_EQ(contrasts.size(), 3u);
  EXPECT_EQ(contrasts[1].substr(0, 57), "routing gap,attention,learned,random,true,primary,5,0.030");
  EXPECT_TRUE(contrasts[1].ends_with(",different"));
}

TEST_F(StudiesResults, WritesSixWholeFiles) {
  const Path folder = std::filesystem::temp_directory_path() / fmt::format("absorb-results-{}", ::getpid());
  std::filesystem::create_directories(folder);
  write_results(folder, {study, {}, records, analysis, {}});
  EXPECT_EQ(Json::parse(read_file(folder / "results.json")).at("runs").size(), 25u);
  EXPECT_EQ(lines_of(read_file(folder / "runs.csv")).size(), 26u);
  size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) files += entry.is_regular_file() ? 1 : 0;
  EXPECT_EQ(files, 6u);
  EXPECT_NE(read_file(folder / "report.html").find("</html>"), std::string::npos);
  std::filesystem::remove_all(folder);
}

TEST(StudiesCsv, QuotesOnlyWhatNeedsItAndKeepsEveryDigit) {
  Csv csv({"a", "b,c"});
  csv.cell("plain").cell("say \"no\"").end();
  csv.cell(0.1 + 0.2).cell(int64_t{-3}).end();
  csv.cell(std::nan("")).cell("two\nlines").end();
  EXPECT_EQ(csv.text(), "a,\"b,c\"\r\nplain,\"say \"\"no\"\"\"\r\n0.30000000000000004,-3\r\n,\"two\nlines\"\r\n");
  EXPECT_THROW(csv.cell("one").end(), std::logic_error);
}

}  // namespace
}  // namespace absorb
