// configs/ is documentation that runs: every key is explained, and every study can be planned on a fresh machine.
#include <gtest/gtest.h>

#include <set>

#include "studies/plan/plan.h"
#include "tests/docs/page.h"

namespace absorb {
namespace {

std::vector<Path> files_in(const Path& folder, bool below) {
  std::vector<Path> out;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder))
    if (entry.path().extension() == ".toml" && (below || entry.path().parent_path() == folder))
      out.push_back(entry.path());
  std::sort(out.begin(), out.end());
  return out;
}

Path configs() {
  return docs::repository() / "configs";
}

// "file:line:column" of every key that holds a value.
void collect(const Settings& table, std::vector<std::string>& places) {
  for (const auto& [key, value] : table.value().items()) {
    if (value.is_object())
      collect(table.table(key), places);
    else if (value.is_array() && !value.empty() && value[0].is_object())
      for (const Settings& inner : table.tables(key)) collect(inner, places);
    else
      places.push_back(table.where(key));
  }
}

// What `absorb run` takes: everything but models and the bases that studies extend.
std::vector<Path> study_files() {
  std::vector<Path> out = files_in(configs(), true);
  std::erase_if(out, [](const Path& file) {
    return file.parent_path().filename() == "models" || file.filename() == "base.toml";
  });
  return out;
}

// runs/<name> should be found from the file's name: small/both.toml is small-both.
std::string name_of(const Path& file) {
  const std::string folder = file.parent_path().filename().string();
  return (folder == "configs" ? "" : folder + "-") + file.stem().string();
}

std::size_t line_of(const std::string& place) {
  const std::size_t column = place.rfind(':'), line = place.rfind(':', column - 1);
  return std::stoul(place.substr(line + 1, column - line - 1));
}

TEST(DocsConfigs, EveryKeyHasACommentAboveIt) {
  for (const Path& file : files_in(configs(), true)) {
    const std::vector<std::string> text = docs::lines(read_file(file));
    std::vector<std::string> places;
    collect(Settings::from_file(file), places);
    EXPECT_GT(places.size(), 3U) << file;
    for (const std::string& place : places) {
      const std::size_t line = line_of(place);
      ASSERT_GE(line, 1U) << place;
      EXPECT_TRUE(line >= 2 && text[line - 2].starts_with("# ")) << place << ": " << text[line - 1];
    }
  }
}

TEST(DocsConfigs, FilesAreShort) {
  for (const Path& file : files_in(configs(), true)) EXPECT_LT(docs::lines(read_file(file)).size(), 150U) << file;
}

TEST(DocsConfigs, StudiesCanBePlannedAndLackNoMoreThanACorpus) {
  const docs::Folder folder;
  const std::vector<Path> studies = study_files();
  EXPECT_GE(studies.size(), 20U);
  for (const Path& file : studies) {
    const Study study = read_study(file);
    EXPECT_EQ(study.settings.name, name_of(file));
    EXPECT_FALSE(study.settings.question.empty()) << file;
    EXPECT_FALSE(study.contrasts.empty()) << file;
    const RunPlan plan = plan_runs(study, folder.path());
    EXPECT_GE(plan.runs.size(), study.settings.seeds.size() * (study.arms.size() + 1)) << file;
    for (const RunSpec& run : plan.runs)
      for (const std::string& missing : missing_files(run.settings.data))
        EXPECT_TRUE(missing.starts_with("corpora/")) << file << ": " << missing;
  }
}

TEST(DocsConfigs, TwinsAreMatchedToHalfAPercent) {
  const docs::Folder folder;
  for (const Path& file : study_files()) {
    const Study study = read_study(file);
    if (study.settings.match == "none") continue;
    for (const Matched& matched : plan_runs(study, folder.path()).matched)
      EXPECT_LT(std::abs(matched.difference), 0.005) << file << ' ' << matched.target;
  }
}

TEST(DocsConfigs, ModelsCanBeExtended) {
  for (const Path& file : files_in(configs() / "models", true)) {
    Settings tables = Settings::from_file(file);
    EXPECT_FALSE(tables.has("study")) << file;
    if (!tables.has("data")) tables.merge(Settings::from_text("data.type = 'recall'", "test"));
    const RunSettings run = read_run_settings(tables, "dense", 1);
    EXPECT_GT(size_of(run, 256).parameters.unique, 0) << file;
  }
}

}  // namespace
}  // namespace absorb
