// A study's folder is a contract: whoever looks at it needs neither the data, nor the tokeniser, nor the router.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "studies/folder/fields/record_fields.h"
#include "tests/studies/command/command_fixture.h"

namespace absorb {
namespace {

namespace fs = std::filesystem;

class StudyFolder : public testing::CommandTest {
 protected:
  /// A finished study of text, with a deployment and one measure of compensation.
  Path finished() const {
    const Path corpus = folder / "corpus.txt";
    std::string text;
    for (int i = 0; i < 300; ++i) text += fmt::format("Line {} says that {} follows {}.\n\n", i, i + 1, i * 7 % 13);
    write_file(corpus, text);
    const Path file =
        study("[[deployment]]\nname = \"soft\"\nrouting.selection = { type = \"soft\" }\n", "seeds = [1]", 12);
    const auto trained = run(run_arguments(file, "runs",
                                           {"--set", "data.type=text", "--set", "data.corpus=" + corpus.string(),
                                            "--set", "data.cache=" + (folder / "cache").string(), "--set",
                                            "data.valid_share=0.2", "--set", "data.test_share=0.1"}));
    EXPECT_EQ(trained.status, 0) << trained.err;
    const auto measured = run({"compensate", (folder / "runs/s").string(), "--measures", "first_order", "--device",
                               "cpu", "--jobs", "1", "--set", "compensation.sequences=8"});
    EXPECT_EQ(measured.status, 0) << measured.err;
    fs::remove(corpus);
    fs::remove_all(folder / "cache");
    return folder / "runs/s";
  }
  static void replace_everywhere(const Path& below, const std::string& word, const std::string& by) {
    for (const auto& entry : fs::recursive_directory_iterator(below)) {
      const std::string name = entry.path().filename().string();
      if (name == "files.json") fs::remove(entry.path());
      if (name != "settings.json" && name != "study.toml" && name != "plan.json" && name != "settings.toml") continue;
      std::string text = read_file(entry.path());
      for (std::size_t at = 0; (at = text.find(word, at)) != std::string::npos; at += by.size())
        text.replace(at, word.size(), by);
      write_file(entry.path(), without_checksums(text));
    }
  }
  // As if absorb itself had written it.
  static std::string without_checksums(const std::string& text) {
    nlohmann::json json = nlohmann::json::parse(text, nullptr, false);
    if (!json.is_object()) return text;
    for (const char* key : {"checksum", "study"}) json.erase(key);  // plan.json holds that of study.toml
    for (const char* key : {"checksum", "study", "files"}) json.erase(key);
    return json.dump(2);
  }
  void expect_one_line(const testing::Result& result, const std::string& words) const {
    EXPECT_EQ(result.status, 2) << result.err;
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
    EXPECT_NE(result.err.find(words), std::string::npos) << "expected: " << words << "\ngot: " << result.err;
  }
  static Path fixture() { return Path(ABSORB_SOURCE_DIR) / "tests/studies/fixtures/format0"; }
};

TEST_F(StudyFolder, IsReadElsewhereWithoutDataAndRouter) {
  const Path made = finished(), copy = folder / "elsewhere/kept";
  const std::string results = read_file(made / "results.json"), runs = read_file(made / "runs.csv");
  fs::create_directories(copy.parent_path());
  fs::rename(made, copy);
  fs::remove(folder / "study.toml");
  replace_everywhere(copy, "bilinear", "martian");
  ASSERT_NE(read_file(copy / "learned.attention/seed-1/settings.json").find("martian"), std::string::npos);
  fs::remove(copy / "results.json");
  const auto report = run({"report", copy.string()});
  EXPECT_EQ(report.status, 0) << report.err;
  EXPECT_EQ(read_file(copy / "results.json"), results);
  EXPECT_EQ(read_file(copy / "runs.csv"), runs);
  const std::string page = read_file(copy / "report.html");
  for (const char* words : {"The corpus is corpus.txt (text read as", "a pre-LayerNorm transformer of 1 layers",
                            "Each run took 12 steps of 8 x 32 tokens"})
    EXPECT_NE(page.find(words), std::string::npos) << words;
  const auto status = run({"status", copy.string()});
  EXPECT_EQ(status.status, 0) << status.err;
  EXPECT_NE(status.out.find("done        learned.attention/seed-1"), std::string::npos) << status.out;
  EXPECT_NE(status.out.find("3 runs: 3 done"), std::string::npos) << status.out;
  const auto diff = run({"diff", copy.string(), copy.string()});
  EXPECT_EQ(diff.status, 0) << diff.err;
  EXPECT_NE(diff.out.find("SETTINGS: nothing differs"), std::string::npos) << diff.out;
  const auto graph = run({"graph", copy.string(), "--export", "csv"});
  EXPECT_EQ(graph.status, 0) << graph.err;
  const auto board = run({"tensorboard", copy.string()});
  EXPECT_EQ(board.status, 0) << board.err;
  // What trains or measures needs all of it, and says so.
  expect_one_line(run({"compensate", copy.string(), "--device", "cpu"}), "martian");
}

TEST_F(StudyFolder, OfFormat0IsRead) {
  const Path copy = folder / "format0";
  fs::copy(fixture(), copy, fs::copy_options::recursive);
  for (const char* name : {"results.json", "runs.csv", "evals.csv", "deployments.csv", "contrasts.csv"})
    fs::remove(copy / name);
  const auto report = run({"report", copy.string()});
  EXPECT_EQ(report.status, 0) << report.err;
  for (const char* name : {"results.json", "runs.csv", "evals.csv", "deployments.csv", "contrasts.csv"})
    EXPECT_EQ(read_file(copy / name), read_file(fixture() / name)) << name;
  const auto status = run({"status", copy.string()});
  EXPECT_NE(status.out.find("6 runs: 6 done"), std::string::npos) << status.out << status.err;
  replace_everywhere(copy, "bilinear", "martian");
  expect_one_line(run({"status", copy.string()}),
                  "is of format 0, which has no plan.json (this absorb writes format 1)");
}

TEST_F(StudyFolder, OfALaterFormatOrDamagedIsOneLine) {
  const Path copy = folder / "format0", record = copy / "dense/seed-1/result.json";
  fs::copy(fixture(), copy, fs::copy_options::recursive);
  write_file(record, "{}");
  expect_one_line(run({"report", copy.string()}), "dense/seed-1/result.json: holds no `val_loss`");
  write_file(record, R"({"format": 7})");
  expect_one_line(run({"status", copy.string()}), "is of format 7, and this absorb reads formats 0 to 1");
  write_file(copy / "plan.json", R"({"format": 7, "runs": []})");
  expect_one_line(run({"status", copy.string()}), "plan.json: is of format 7, and this absorb reads formats 0 to 1");
  write_file(copy / "plan.json", "{\"format\": 1, \"ru");
  expect_one_line(run({"diff", copy.string(), copy.string()}), "plan.json: is no JSON object");
  write_file(copy / "analysis.lock", "{}");
  fs::remove(copy / "plan.json");
  fs::copy_file(fixture() / "dense/seed-1/result.json", record, fs::copy_options::overwrite_existing);
  expect_one_line(run({"report", copy.string()}), "analysis.lock: holds no `contrasts`");
}

}  // namespace
}  // namespace absorb
