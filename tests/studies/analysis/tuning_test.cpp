// Tuned twins: each arm's best of a grid, and a test on other seeds that choosing leaves at its size.
#include "studies/analysis/tuning.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <iterator>
#include <numeric>

#include "core/error.h"
#include "core/random.h"
#include "studies/analysis/groups.h"
#include "studies/study/tune.h"
#include "tests/statistics/simulate.h"
#include "tests/studies/synthetic.h"

namespace absorb {
namespace {

Study with_grid() {
  Study study = synthetic::small_study();
  study.settings.targets = {"moe"};
  study.tune.seeds = {11, 12};
  study.tune.grid = {{"training.learning_rate", {0.001, 0.003, 0.01}, {"0.001", "0.003", "0.01"}}};
  return study;
}

RunRecord trial(const std::string& arm, const std::string& rate, int64_t seed, double loss) {
  RunRecord run = synthetic::run(arm, arm == "dense" ? "dense" : "moe", seed, loss);
  run.cell = {{"training.learning_rate", rate}};
  return run;
}

std::vector<RunRecord> grid(double of_learned) {
  std::vector<RunRecord> runs;
  for (const int64_t seed : {11, 12})
    for (const std::string rate : {"0.001", "0.003", "0.01"}) {
      runs.push_back(trial("dense", rate, seed, rate == "0.003" ? 1.0 : 1.2));
      runs.push_back(trial("learned", rate, seed, rate == "0.01" ? of_learned : 2.0));
      runs.push_back(trial("random", rate, seed, rate == "0.001" ? 2.0 : 2.5));
    }
  return runs;
}

TEST(StudiesTuning, EachArmTakesItsBest) {
  const Study study = with_grid();
  const std::vector<TunedSpec> tuned = best_of_grid(study, grid(1.9));
  ASSERT_EQ(tuned.size(), 3U);
  EXPECT_EQ(tuned[0].arm, "dense");
  EXPECT_EQ(tuned[0].values.dump(), R"({"training.learning_rate":0.003})");
  EXPECT_EQ(tuned[1].values.at("training.learning_rate"), 0.01);
  EXPECT_EQ(tuned[2].values.at("training.learning_rate"), 0.001);
  EXPECT_EQ(tuned[2].losses, (std::vector<double>{2.0, 2.5, 2.5}));
  EXPECT_EQ(best_of_grid(study, grid(2.0))[1].values.at("training.learning_rate"), 0.001);  // of equals the first
  Study said = study;
  said.tuned = tuned;
  EXPECT_NE(tuning_sentences(said)[2].find("0.001; nats above it: "), std::string::npos) << tuning_sentences(said)[2];
}

TEST(StudiesTuning, AValueThatFailsIsNotTaken) {
  const Study study = with_grid();
  std::vector<RunRecord> runs = grid(1.9);
  for (RunRecord& run : runs)
    if (run.arm == "learned" && run.cell.begin()->second == "0.01" && run.seed == 12) run.state = "failed";
  EXPECT_EQ(best_of_grid(study, runs)[1].values.at("training.learning_rate"), 0.001);
  for (RunRecord& run : runs)
    if (run.arm == "learned") run.state = "failed";
  EXPECT_THROW(best_of_grid(study, runs), UserError);
  runs = grid(1.9);
  runs.back().state = "running";
  EXPECT_THROW(best_of_grid(study, runs), UserError);
}

TEST(StudiesTuning, ReadsBackAsItIsWritten) {
  Study study = with_grid();
  study.tuned = best_of_grid(study, grid(1.9));
  Json tables = Json::array();
  for (const TunedSpec& tuned : study.tuned) tables.push_back(write_tuned(tuned));
  const Settings text = Settings::from_text(
      Settings::from_json({{"tuned", tables}, {"tune", write_tune(study.tune).value()}}, "t").toml(), "t");
  const std::vector<TunedSpec> again = read_tuned(text.tables("tuned"));
  ASSERT_EQ(again.size(), study.tuned.size());
  for (std::size_t i = 0; i < again.size(); ++i) EXPECT_EQ(write_tuned(again[i]), write_tuned(study.tuned[i]));
  EXPECT_EQ(read_tune(text.table("tune")).seeds, study.tune.seeds);
  EXPECT_EQ(tuned_for(study, "random", "moe", {{"model.layers", "2"}})->values.at("training.learning_rate"), 0.001);
  EXPECT_EQ(tuned_for(study, "random", "attention", {}), nullptr);
}

// No difference between the arms, whatever the rate. The treatment takes the luckiest of four on two tuning seeds; the
// t test against the control rejects in 5 % of 10,000 studies on n other seeds. Where the n seeds that are tested
// choose, it rejects in more.
TEST(StudiesTuning, LeavesTheTestItsSizeOnOtherSeedsAlone) {
  Study study = with_grid();
  study.tune.grid = {{"training.learning_rate", {1, 2, 3, 4}, {"1", "2", "3", "4"}}};
  const auto rejected = [&](int64_t n, bool leaks) {
    study.tune.seeds.resize(leaks ? static_cast<size_t>(n) : 2);
    std::iota(study.tune.seeds.begin(), study.tune.seeds.end(), 11);
    return simulated_share(static_cast<uint64_t>(70 + n), [&](Random& random) {
      std::vector<RunRecord> runs;
      for (const std::string& rate : study.tune.grid[0].labels)
        for (const int64_t seed : study.tune.seeds)
          runs.push_back(trial("learned", rate, seed, 2 + 0.05 * random.gauss()));
      const TunedSpec tuned = best_of_grid(study, runs).at(0);
      std::vector<double> gaps;
      for (const RunRecord& run : runs)
        if (leaks && cell_label(run.cell) == tuned.chosen) gaps.push_back(0.05 * random.gauss() - (run.val_loss - 2));
      while (!leaks && std::ssize(gaps) < n) gaps.push_back(0.05 * (random.gauss() - random.gauss()));
      return std::ssize(gaps) == n && paired(gaps).p_t < 0.05;
    });
  };
  for (const int64_t n : {3, 5, 10}) {
    const double others = rejected(n, false), tested = rejected(n, true);
    std::printf("tuned, n = %ld: size %.4f on other seeds, %.4f on the tuning seeds\n", n, others, tested);
    EXPECT_NEAR(others, 0.05, monte_carlo_error(0.05)) << n;
    EXPECT_GT(tested, 0.05 + monte_carlo_error(0.05)) << n;
  }
}

}  // namespace
}  // namespace absorb
