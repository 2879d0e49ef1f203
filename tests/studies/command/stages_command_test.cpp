// A plan in stages as its user runs it: it ends once its verdicts are there, and goes on where it was stopped.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "tests/studies/command/command_fixture.h"

namespace absorb {
namespace {

class StudyStages : public testing::CommandTest {
 protected:
  /// Within 100 nats anything is a tie: decided at the first look of a planted contrast. Of another one nothing is
  /// decided with four seeds.
  Path staged(const std::string& planted, const std::string& plan = "until = \"decided\"\nleast = 3\n") const {
    const Path file = study("[plan]\n" + plan, "seeds = [1, 2, 3, 4]", 20);
    std::string text = read_file(file);
    const std::string primary = "primary = true\n";
    text.replace(text.find(primary), primary.size(),
                 primary + "positive_control = " + planted + "\nmargin_nats = 100\n");
    write_file(file, text);
    return file;
  }
  bool trained(int64_t seed) const {
    return std::filesystem::exists(folder / fmt::format("runs/s/learned.attention/seed-{}/DONE", seed));
  }
};

TEST_F(StudyStages, EndsWithItsVerdicts) {
  const Path file = staged("true");
  const auto result = run(run_arguments(file));
  ASSERT_EQ(result.status, 0) << result.err;
  EXPECT_TRUE(trained(3));
  EXPECT_FALSE(trained(4));
  EXPECT_NE(result.out.find("Decided at n = 3."), std::string::npos) << result.out;
  const auto stages = nlohmann::json::parse(read_file(folder / "runs/s/results.json")).at("stages");
  EXPECT_EQ(stages.at("decided"), 3);
  EXPECT_EQ(stages.at("most"), 4);
  const auto again = run(run_arguments(file));
  EXPECT_EQ(again.status, 0);
  EXPECT_EQ(again.out, result.out);
  EXPECT_FALSE(trained(4));
}

TEST_F(StudyStages, TrainsAllSeedsWhereNothingIsDecided) {
  const auto result = run(run_arguments(staged("false")));
  ASSERT_EQ(result.status, 0) << result.err;
  EXPECT_TRUE(trained(4));
  EXPECT_NE(result.out.find("Undecided with all of them."), std::string::npos) << result.out;
}

TEST_F(StudyStages, RefusesPlansThatCannotBe) {
  const auto refuses = [this](const Path& file, const std::string& words) {
    const auto result = run(run_arguments(file));
    EXPECT_EQ(result.status, 2) << result.err;
    EXPECT_NE(result.err.find(words), std::string::npos) << result.err;
    EXPECT_FALSE(std::filesystem::exists(folder / "runs"));
  };
  refuses(staged("true", "until = \"decided\"\nleast = 5\n"), "plan.least = 5 seeds before the first look, but");
  refuses(staged("true", "until = \"sometime\"\n"), "until");
  refuses(study("[plan]\nuntil = \"decided\"\n", "seeds = [2, 1, 3, 4, 5]"), "in ascending order");
}

}  // namespace
}  // namespace absorb
