// absorb bench, as its user runs it: on a CPU, where it times the same steps and says less.
#include <nlohmann/json.hpp>

#include "tests/studies/command/command_fixture.h"

namespace absorb {
namespace {

class BenchCommand : public testing::CommandTest {
 protected:
  Path model() const {
    const Path file = folder / "model.toml";
    std::ofstream(file) << "[model]\nlayers = 1\nwidth = 32\nheads = 2\ncontext = 16\n"
                        << "[model.moe]\nexperts = 4\n[training]\nbatch = 4\n[data]\nvocabulary = 40\n";
    return file;
  }
  void refused(std::vector<std::string> arguments, const std::string& words) const {
    arguments.insert(arguments.begin(), "bench");
    const testing::Result result = run(arguments);
    EXPECT_EQ(result.status, 2) << words;
    EXPECT_TRUE(result.out.empty()) << result.out;
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
    EXPECT_NE(result.err.find(words), std::string::npos) << "expected: " << words << "\ngot: " << result.err;
  }
};

TEST_F(BenchCommand, TimesStepsAndCountsTheWork) {
  const Path json = folder / "bench.json";
  const testing::Result result = run({"bench", "--model", model().string(), "--target", "both", "--steps", "2",
                                      "--tokens", "32", "--device", "cpu", "--json", json.string()});
  ASSERT_EQ(result.status, 0) << result.err;
  EXPECT_NE(result.out.find("median of 2"), std::string::npos) << result.out;
  EXPECT_NE(result.out.find("32 tokens a step (2 sequences of 16)"), std::string::npos) << result.out;
  const auto written = nlohmann::json::parse(read_file(json));
  EXPECT_EQ(written["tokens"], 32);
  EXPECT_GT(written["ms"], 0.0);
  EXPECT_NEAR(written["loss"], std::log(40.0), 0.3);
}

TEST_F(BenchCommand, TimesSeveralRunsAtATime) {
  const Path json = folder / "bench.json";
  const testing::Result result = run({"bench", "--model", model().string(), "--steps", "2", "--device", "cpu", "--jobs",
                                      "2", "--json", json.string()});
  ASSERT_EQ(result.status, 0) << result.err;
  EXPECT_NE(result.out.find("with 2 runs at a time"), std::string::npos) << result.out;
  EXPECT_GT(nlohmann::json::parse(read_file(json))["share_ms"], 0.0);
}

TEST_F(BenchCommand, AnArmOfAStudyCountsWhatTheStudyTrains) {
  const testing::Result result =
      run({"bench", "--study", study().string(), "--arm", "random", "--steps", "1", "--device", "cpu"});
  ASSERT_EQ(result.status, 0) << result.err;
  EXPECT_NE(result.out.find("arm random, target attention"), std::string::npos) << result.out;
}

TEST_F(BenchCommand, ResidentAnswersEveryLine) {
  std::ofstream(folder / "lines") << "1\n2\nquit\n3\n";
  const std::string command = std::string(ABSORB_COMMAND) + " bench --resident --device cpu --model " +
                              model().string() + " <" + (folder / "lines").string() + " >" +
                              (folder / "answers").string();
  ASSERT_EQ(std::system(command.c_str()), 0);
  std::ifstream answers(folder / "answers");
  std::vector<nlohmann::json> lines;
  for (std::string line; std::getline(answers, line);) lines.push_back(nlohmann::json::parse(line));
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(lines[0]["ready"], true);
  EXPECT_EQ(lines[0]["tokens"], 64);
  EXPECT_EQ(lines[1]["steps"], 1);
  EXPECT_EQ(lines[2]["steps"], 2);
  EXPECT_LE(lines[2]["min_ms"], lines[2]["ms"]);
}

TEST_F(BenchCommand, RefusesBadInputInOneLine) {
  const std::string file = model().string();
  refused({"--model", "absent"}, "--model absent: there is no such file");
  refused({"--model", file, "--target", "moon"}, "unknown target \"moon\"");
  refused({"--model", file, "--tokens", "30"}, "--tokens 30 is no whole number of sequences of 16 tokens");
  refused({"--model", file, "--tokens", "0"}, "--tokens");
  refused({"--model", file, "--kernels", "magic"}, "magic");
  refused({"--model", file, "--precision", "fp7"}, "precision");
  refused({"--model", file, "--set", "training.batsh=3"}, "did you mean `batch`?");
  refused({"--model", file, "--arm", "learned"}, "--arm names an arm of a study");
  refused({"--study", study().string()}, "--study needs --arm");
  refused({"--study", study().string(), "--arm", "lerned"}, "no arm \"lerned\"; it runs dense, learned (attention)");
  refused({"--study", study().string(), "--arm", "learned", "--model", file}, "exclude each other");
  refused({"--study", study().string(), "--arm", "learned", "--target", "moe"}, "with target moe");
}

}  // namespace
}  // namespace absorb
