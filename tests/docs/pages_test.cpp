// What the pages say about files, sections, studies and columns is held against the repository itself.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <regex>
#include <set>

#include "studies/plan/plan.h"
#include "studies/report/data/results.h"
#include "tests/docs/page.h"
#include "tests/studies/synthetic.h"

namespace absorb {
namespace {

std::vector<std::string> all_matches(const std::string& text, const std::string& pattern) {
  const std::regex regex(pattern);
  std::vector<std::string> out;
  for (std::sregex_iterator it(text.begin(), text.end(), regex), end; it != end; ++it) out.push_back((*it)[1]);
  return out;
}

TEST(DocsPages, RelativeLinksLeadSomewhere) {
  std::size_t links = 0;
  for (const Path& page : docs::pages())
    for (const std::string& link : all_matches(read_file(page), R"(\]\(([^)#\s]+)(?:#[^)]*)?\))")) {
      if (link.find("://") != std::string::npos) continue;
      ++links;
      EXPECT_TRUE(std::filesystem::exists(page.parent_path() / link)) << page << " links to " << link;
    }
  EXPECT_GT(links, 20U);
}

TEST(DocsPages, NamedConfigsExist) {
  for (const Path& page : docs::pages())
    for (const std::string& file : all_matches(read_file(page), R"(\b(configs/[\w/-]+\.toml))"))
      EXPECT_TRUE(std::filesystem::exists(docs::repository() / file)) << page << " names " << file;
}

TEST(DocsPages, CitedSectionsOfScienceExist) {
  const std::vector<std::string> found =
      all_matches(read_file(docs::repository() / "docs/science.md"), R"(\n## (\d+)\.)");
  const std::set<std::string> sections(found.begin(), found.end());
  EXPECT_EQ(sections.size(), 7U);
  std::size_t cited = 0;
  for (const char* folder : {"core", "statistics", "router", "attention", "moe", "transformer", "training",
                             "compensation", "studies", "configs"})
    for (const auto& entry : std::filesystem::recursive_directory_iterator(docs::repository() / folder)) {
      if (!entry.is_regular_file()) continue;
      const std::string text = read_file(entry.path());
      for (const std::string& section : all_matches(text, R"(science\.md\s+(?:// |# )?sections? (\d+))")) {
        ++cited;
        EXPECT_TRUE(sections.contains(section)) << entry.path() << " cites section " << section;
      }
    }
  EXPECT_GT(cited, 20U);
}

// Every block ```toml NAME is a whole study, as if it stood in the repository's root or in configs/.
TEST(DocsPages, ShownStudiesCanBePlanned) {
  const docs::Folder folder;
  for (const char* link : {"configs", "models"})
    std::filesystem::create_directory_symlink(
        docs::repository() / (std::string(link) == "models" ? "configs/models" : "configs"), folder.path() / link);
  std::size_t studies = 0;
  for (const Path& page : docs::pages())
    for (const docs::Block& block : docs::blocks(page)) {
      if (block.language != "toml" || block.name.empty()) continue;
      ++studies;
      folder.write(block.name, block.text);
      const Study study = read_study(folder.path() / block.name);
      const RunPlan plan = plan_runs(study, folder.path() / "runs");
      EXPECT_GE(plan.runs.size(), study.settings.seeds.size() * 5) << page << ' ' << block.name;
      for (const RunSpec& run : plan.runs)
        for (const std::string& missing : missing_files(run.settings.data)) EXPECT_EQ(missing, "corpora/gcide.txt");
    }
  EXPECT_EQ(studies, 2U);
}

TEST(DocsPages, TheCommentedStudyIsATwoByTwo) {
  const docs::Folder folder;
  std::filesystem::create_directory_symlink(docs::repository() / "configs/models", folder.path() / "models");
  for (const docs::Block& block : docs::blocks(docs::repository() / "docs/studies.md"))
    if (!block.name.empty()) folder.write(block.name, block.text);
  const auto both = two_by_two(plan_runs(read_study(folder.path() / "commented.toml"), folder.path()));
  ASSERT_TRUE(both.has_value());
  EXPECT_EQ(both->ll, "learned");
  EXPECT_EQ(both->rl, "random_attention");
  EXPECT_EQ(both->lr, "random_experts");
  EXPECT_EQ(both->rr, "random");
}

// Every key of an object, and of the objects in it. Keys of maps (cells, deployments) are data, not fields.
void fields_of(const Json& json, std::set<std::string>& out) {
  if (json.is_array())
    for (const Json& item : json) fields_of(item, out);
  if (!json.is_object()) return;
  for (const auto& [key, value] : json.items()) {
    out.insert(key);
    if (key != "cell" && key != "evaluations") fields_of(value, out);
  }
}

TEST(DocsPages, StudiesPageNamesEveryFieldThatIsWritten) {
  const std::string page = read_file(docs::repository() / "docs/studies.md");
  const Study study = synthetic::small_study();
  std::vector<RunRecord> records = synthetic::small_records();
  for (RunRecord& run : records) run.health.push_back({.site = "blocks.0.attention"});
  const StudyAnalysis analysis = analyse(study, records, {"routing gap"});
  std::set<std::string> fields;
  const Json results = results_json(study, records, analysis);
  fields_of(results, fields);
  for (const auto& [list, value] : results.items()) {
    fields.erase(list);
    EXPECT_NE(page.find("| `" + list + (value.is_array() ? "[]" : "")), std::string::npos) << list;
  }
  fields.erase("health");  // named as health[]
  EXPECT_GT(fields.size(), 60U);
  for (const std::string& csv : {runs_csv(records), evals_csv(records), contrasts_csv(analysis)}) {
    std::string header = csv.substr(0, csv.find("\r\n")) + ',';
    for (const std::string& column : all_matches(header, "([^,]+),")) fields.insert(column);
  }
  for (const std::string& field : fields) EXPECT_NE(page.find('`' + field + '`'), std::string::npos) << field;
}

}  // namespace
}  // namespace absorb
