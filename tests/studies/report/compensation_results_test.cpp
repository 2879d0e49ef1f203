// What was measured, gathered from run folders and printed.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <set>
#include <sstream>

#include "studies/analysis/compensation/summaries.h"
#include "studies/analysis/wording.h"
#include "studies/report/data/results.h"
#include "studies/report/text/compensation_table.h"
#include "studies/report/text/table.h"
#include "tests/studies/synthetic.h"
#include "tests/studies/synthetic_compensation.h"

namespace absorb {
namespace {

TEST(StudiesCompensationTable, HoldsVerdictSharesAndCostsWithinItsWidth) {
  const CompensationResults results = synthetic::compensation();
  const std::string text = print_compensation(results);
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), table_width) << line;
  for (const char* part : {"ATTRIBUTION", "CROSS-LAYER SHARE", "SWAP COST AND DOSE", "MEASURES", "NOTES",
                           "supported: ", "left out: moe seed 3, 1.expert_router"})
    EXPECT_NE(text.find(part), std::string::npos) << part;
  const AttributionRow& cross = results.attributions[0].rows[0];
  EXPECT_NE(text.find(signed_number(cross.mean, nats_digits) + "  " + bracketed(cross.ci95, nats_digits)),
            std::string::npos)
      << text;
  for (const char c : text) EXPECT_LT(static_cast<unsigned char>(c), 0x80);
  EXPECT_EQ(print_compensation({}), "");
}

TEST(StudiesCompensationResults, RouterMeansLeaveOutWhatIsUndefined) {
  const std::vector<RouterSummary> routers = router_summaries(synthetic::compensation());
  ASSERT_EQ(routers.size(), 12u);
  const RouterSummary& router = routers[4];
  EXPECT_EQ(router.target + " " + to_string(router.router), "moe 1.expert_router");
  EXPECT_EQ(router.swap_cost.n, 5);
  EXPECT_EQ(router.share.n, 4);
  EXPECT_EQ(router.undefined.size(), 1u);
  EXPECT_NEAR(router.module.mean + router.rest.mean + router.cross.mean, router.all.mean, 1e-12);
}

TEST(StudiesCompensationResults, PartsStandBesideTheirSizes) {
  CompensationResults results = synthetic::compensation();
  const RouterSummary router = router_summaries(results)[4];
  EXPECT_EQ(router.parts[0].part + router.parts[1].part + router.parts[2].part, "modulerestcross");
  const PartShare& cross = router.parts[2];
  EXPECT_EQ(cross.share.n, 4);  // the seeds with a share
  EXPECT_DOUBLE_EQ(cross.numbers.mean, 0.35);
  EXPECT_DOUBLE_EQ(cross.share.mean, router.share.mean);
  EXPECT_NEAR(cross.size_matched.mean, 0.5, 1e-12);
  EXPECT_NEAR(cross.excess.mean, cross.share.mean - 0.5, 1e-12);
  EXPECT_NEAR(router.parts[0].share.mean + router.parts[1].share.mean + cross.share.mean, 1, 1e-12);
  const auto has = [&](const char* words) { return print_compensation(results).find(words) != std::string::npos; };
  EXPECT_TRUE(has("PARTS AND THEIR SIZES"));
  EXPECT_TRUE(has("matched: the share of random partitions"));
  const Json json = compensation_json(results)["routers"][4]["parts"][2];
  EXPECT_EQ(json["part"], "cross");
  EXPECT_EQ(json["excess"]["n"], 4);
  EXPECT_EQ(json["excess"]["mean"], cross.excess.mean);

  for (RunRecoveries& run : results.recoveries)
    for (RecoveryResult& result : run.results) result.capacities.front().size_matched.clear();
  EXPECT_EQ(router_summaries(results)[4].parts[2].excess.n, 0);
  EXPECT_TRUE(has("compensation.random_partitions = 1"));
  for (RunRecoveries& run : results.recoveries)
    for (RecoveryResult& result : run.results) result.numbers = {};  // measured before they were kept
  EXPECT_FALSE(has("PARTS AND THEIR SIZES"));
}

TEST(StudiesCompensationResults, EdgesAreMeansOverSeedsByTheirSize) {
  CompensationResults results;
  for (int64_t seed : {1, 2}) {
    Measurement m = synthetic::measurement("components", "moe", seed);
    const auto a = synthetic::node(0, "q"), b = synthetic::node(1, "expert");
    synthetic::add_edge(m, a, b, seed == 1 ? 0.1 : 0.3);
    synthetic::add_edge(m, b, a, -0.5);
    results.measurements.push_back(m);
  }
  const std::vector<MeanEdge> edges = mean_edges(results, "components", "moe");
  ASSERT_EQ(edges.size(), 2u);
  EXPECT_EQ(edges[0].from, "1.expert");  // the larger in size
  EXPECT_NEAR(edges[1].value.mean, 0.2, 1e-12);
  EXPECT_EQ(edges[1].value.n, 2);
  EXPECT_TRUE(mean_edges(results, "components", "attention").empty());
  EXPECT_EQ(targets_of(results), std::vector<std::string>{"moe"});
}

/// Run folders with measurements in them.
class StudiesCompensationFolder : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / fmt::format("absorb-compensation-{}", ::getpid());
    std::filesystem::remove_all(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  /// A record of one run whose recovery of one router is saved.
  RunRecord measured(const std::string& arm, const std::string& target, int64_t seed, const Cell& cell = {}) {
    RunRecord record = synthetic::run(arm, target, seed, 1.5);
    record.cell = cell;
    record.folder = folder_ / fmt::format("{}.{}.{}.{}", arm, target, cell.size(), seed);
    Measurement m = synthetic::recovery_measurement(target, seed, 1);
    const Part kind = target == "moe" ? Part::expert_router : Part::attention_router;
    m.details["results"] = Json::array({json_of(synthetic::recovery(kind, 0, 0.0001 * static_cast<double>(seed)))});
    std::filesystem::create_directories(record.folder / "compensation");
    save_measurement(record.folder / "compensation" / "recovery.json", m);
    return record;
  }
  Path folder_;
};

TEST_F(StudiesCompensationFolder, AreReadByTargetAndSeed) {
  const std::vector<RunRecord> records{measured("random", "moe", 2), measured("learned", "moe", 2),
                                       measured("learned", "moe", 1), measured("learned", "attention", 2),
                                       measured("learned", "both", 1, {{"model.layers", "4"}})};
  const CompensationResults results = collect_compensation(records);
  EXPECT_EQ(results.arm, "learned");
  ASSERT_EQ(results.recoveries.size(), 3u);
  EXPECT_EQ(results.recoveries[0].target, "attention");
  EXPECT_EQ(results.recoveries[1].seed, 1);
  ASSERT_EQ(results.attributions.size(), 1u);  // seed 2 has both
  EXPECT_EQ(results.attributions[0].rows[0].seeds, std::vector<int64_t>{2});
  ASSERT_EQ(results.notes.size(), 2u);
  EXPECT_EQ(results.notes[0], "also measured, and not shown here: arm random");
  EXPECT_NE(results.notes[1].find("layers 4"), std::string::npos) << results.notes[1];
  EXPECT_EQ(collect_compensation(records, "random").recoveries.size(), 1u);
  EXPECT_TRUE(collect_compensation(records, "dense").empty());
  EXPECT_TRUE(collect_compensation({}).empty());
}

TEST_F(StudiesCompensationFolder, ADamagedFileIsNamedAndTheOthersAreShown) {
  const std::vector<RunRecord> records{measured("learned", "attention", 1), measured("learned", "moe", 1)};
  write_file(records[1].folder / "compensation" / "recovery.json", "{");
  write_file(records[0].folder / "compensation" / "notes.txt", "not ours");
  const CompensationResults results = collect_compensation(records);
  EXPECT_EQ(results.recoveries.size(), 1u);
  ASSERT_EQ(results.notes.size(), 1u);
  EXPECT_NE(results.notes[0].find("recovery.json"), std::string::npos) << results.notes[0];
}

}  // namespace
}  // namespace absorb
