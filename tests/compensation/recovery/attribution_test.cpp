#include "compensation/recovery/attribution.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/random.h"
#include "statistics/power.h"
#include "tests/statistics/simulate.h"

namespace absorb {
namespace {

/// What one router recovers, part by part.
struct Nats {
  double module = 0, rest = 0, cross = 0;
};

Measured measured(double value) {
  return {value, 0.0001, 512};
}

/// A share at the last of `steps`, and a decoy at every earlier one and in a second dimension.
RecoveryResult result(Part kind, int64_t layer, Nats nats) {
  const double all = nats.module + nats.rest + nats.cross;
  const CrossLayerShare share{measured(all),        measured(nats.module), measured(nats.rest),
                              measured(nats.cross), nats.cross / all,      ""};
  const CrossLayerShare decoy{measured(9), measured(3), measured(3), measured(3), 1.0 / 3, ""};
  RecoveryResult out;
  out.router = {layer, kind, 0};
  out.steps = {5, 20};
  out.damage = 0.02;
  out.capacities = {{64, {}, {decoy, share}}, {0, {}, {decoy, decoy}}};
  return out;
}

RunRecoveries run(const std::string& target, int64_t seed, const std::vector<Nats>& layers, Part kind) {
  RunRecoveries out{target, seed, {}};
  for (std::size_t layer = 0; layer < layers.size(); ++layer)
    out.results.push_back(result(kind, static_cast<int64_t>(layer), layers[layer]));
  return out;
}

RunRecoveries attention(int64_t seed, const std::vector<Nats>& layers) {
  return run("attention", seed, layers, Part::attention_router);
}
RunRecoveries moe(int64_t seed, const std::vector<Nats>& layers) {
  return run("moe", seed, layers, Part::expert_router);
}

/// Twins of `seeds` seeds; cross(attention) - cross(moe) is `difference` +- a tenth of a millinat.
std::vector<RunRecoveries> twins(int64_t seeds, double difference) {
  std::vector<RunRecoveries> runs;
  for (int64_t seed = 1; seed <= seeds; ++seed) {
    const double wobble = seed % 2 == 0 ? 0.0001 : -0.0001;
    runs.push_back(moe(seed, {{0.003, 0.002, 0.004}}));
    runs.push_back(attention(seed, {{0.003, 0.002, 0.004 + difference + wobble}}));
  }
  return runs;
}

const AttributionRow& row(const Attribution& attribution, const std::string& quantity) {
  for (const AttributionRow& each : attribution.rows)
    if (each.quantity == quantity) return each;
  throw std::runtime_error("no row " + quantity);
}

TEST(CompensationAttribution, SaysWhatWasPlanted) {
  for (const auto& [difference, verdict] :
       std::vector<std::pair<double, std::string>>{{0.002, "supported"}, {-0.002, "contradicted"}, {0, "undecided"}}) {
    const auto all = attribute(twins(6, difference));
    ASSERT_EQ(all.size(), 1U);
    EXPECT_EQ(all[0].between, "attention - moe");
    EXPECT_EQ(all[0].verdict, verdict);
    EXPECT_EQ(std::tuple(all[0].dimension, all[0].steps, all[0].damage), std::tuple(64, 20, 0.02));
    EXPECT_NEAR(row(all[0], "cross").mean, difference, 1e-12);
    EXPECT_NEAR(row(all[0], "module").mean, 0, 1e-12);
    EXPECT_NEAR(row(all[0], "all").mean, difference, 1e-12);
    EXPECT_TRUE(all[0].left_out.empty());
  }
}

TEST(CompensationAttribution, FewSeedsGetNoVerdict) {
  const auto all = attribute(twins(4, 0.002));
  EXPECT_EQ(all.at(0).verdict, "undecided (n)");
  EXPECT_TRUE(row(all[0], "cross").ci95.has_value());
  EXPECT_EQ(attribute(twins(1, 0.002)).at(0).deciding_seeds, std::nullopt);  // no sd
}

TEST(CompensationAttribution, DecidingSeedsGrowWithTheNoise) {
  std::vector<RunRecoveries> runs;
  const std::vector<double> differences{0.004, -0.002, 0.003, -0.001, 0.001};  // mean 0.001, sd 0.0025
  for (std::size_t i = 0; i < differences.size(); ++i) {
    runs.push_back(moe(static_cast<int64_t>(i), {{0.001, 0.001, 0.005}}));
    runs.push_back(attention(static_cast<int64_t>(i), {{0.001, 0.001, 0.005 + differences[i]}}));
  }
  const auto all = attribute(runs);
  EXPECT_NEAR(row(all.at(0), "cross").sd, std::sqrt(6.5) * 1e-3, 1e-9);
  ASSERT_TRUE(all[0].deciding_seeds.has_value());
  PairedDesign design;
  design.sd = std::sqrt(6.5);
  design.margin = 1;
  EXPECT_GE(t_power(design, *all[0].deciding_seeds), 0.8);
  EXPECT_LT(t_power(design, *all[0].deciding_seeds - 1), 0.8);
  EXPECT_EQ(attribute(twins(5, 0.01)).at(0).deciding_seeds, 5);  // never below what a verdict needs
}

TEST(CompensationAttribution, PartsAddUpAndShareIsTheRatioOfMeans) {
  const std::vector<RunRecoveries> runs{attention(3, {{0.001, 0.002, 0.003}, {0.010, 0.020, 0.001}}),
                                        moe(3, {{0.002, 0.002, 0.002}, {0.004, 0.001, 0.001}})};
  const auto all = attribute(runs);
  const auto value = [&](const char* quantity) { return row(all.at(0), quantity).attention.at(0); };
  EXPECT_NEAR(value("module"), 0.0055, 1e-12);
  EXPECT_NEAR(value("cross"), 0.002, 1e-12);
  EXPECT_NEAR(value("module") + value("rest") + value("cross"), value("all"), 1e-15);
  EXPECT_NEAR(value("share"), 0.004 / 0.037, 1e-12);
  EXPECT_NEAR(row(all[0], "share").moe.at(0), 0.003 / 0.012, 1e-12);
  EXPECT_EQ(row(all[0], "share").unit, "fraction");
  EXPECT_EQ(row(all[0], "cross").unit, "nats");
}

// Shares 0.5 and 0.25 where parts of these sizes would have 0.3 and 0.2 by chance, over two layers of attention.
TEST(CompensationAttribution, ExcessIsTheShareAboveThatOfItsSize) {
  std::vector<RunRecoveries> runs{attention(3, {{0.002, 0.002, 0.004}, {0.004, 0.004, 0.008}}),
                                  moe(3, {{0.003, 0.003, 0.002}, {0.003, 0.003, 0.002}})};
  const auto has_excess = [&] {
    const std::vector<Attribution> all = attribute(runs);
    for (const AttributionRow& each : all.at(0).rows)
      if (each.quantity == "excess") return true;
    return false;
  };
  EXPECT_FALSE(has_excess());  // no partition was drawn
  const auto match = [](RecoveryResult& of, Nats nats) {
    const double all = nats.module + nats.rest + nats.cross;
    const CrossLayerShare decoy{measured(9), measured(3), measured(3), measured(3), 1.0 / 3, ""};
    of.capacities[0].size_matched = {
        decoy, {measured(all), measured(nats.module), measured(nats.rest), measured(nats.cross), nats.cross / all, ""}};
  };
  for (RecoveryResult& each : runs[0].results) match(each, {0.004, 0.003, 0.003});
  match(runs[1].results[0], {0.004, 0.004, 0.002});
  EXPECT_FALSE(has_excess());  // of one layer alone
  match(runs[1].results[1], {0.004, 0.004, 0.002});
  const AttributionRow excess = row(attribute(runs).at(0), "excess");
  EXPECT_NEAR(excess.attention.at(0), 0.5 - 0.3, 1e-12);
  EXPECT_NEAR(excess.moe.at(0), 0.25 - 0.2, 1e-12);
  EXPECT_EQ(excess.unit, "fraction");
}

TEST(CompensationAttribution, WithinBothComparesRoutersOfOneRun) {
  std::vector<RunRecoveries> runs;
  for (int64_t seed = 1; seed <= 5; ++seed) {
    RunRecoveries both = run("both", seed, {{0.001, 0.001, 0.004}}, Part::attention_router);
    both.results.push_back(result(Part::expert_router, 0, {0.001, 0.001, 0.006}));
    runs.push_back(both);
  }
  runs.push_back(attention(1, {{1, 1, 1}}));  // without a twin: no comparison of twins
  const auto all = attribute(runs);
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].between, "within both");
  EXPECT_NEAR(row(all[0], "cross").mean, -0.002, 1e-12);
  EXPECT_EQ(all[0].verdict, "contradicted");
}

TEST(CompensationAttribution, NoPairOfKindsNoAttribution) {
  EXPECT_TRUE(attribute({}).empty());
  const std::vector<RunRecoveries> apart{attention(1, {{1, 1, 1}}), moe(2, {{1, 1, 1}})};
  EXPECT_TRUE(attribute(apart).empty());
}

TEST(CompensationAttribution, KeepsNatsWithinTheirNoiseButHasNoShareOfThem) {
  std::vector<RunRecoveries> runs{attention(1, {{0.001, 0.001, 0.002}}), moe(1, {{0.001, 0.001, 0.001}}),
                                  attention(2, {{0.001, 0.001, 0.008}}), moe(2, {{0.001, 0.001, 0.001}})};
  auto& noisy = runs[0].results[0].capacities.front().shares.back();
  noisy.all.standard_error = 1;
  runs[0].results[0].dose_cost = {0.02, 0.001, 8};
  noisy.share.reset();
  noisy.undefined = "all other components together recover 0.004000 nats, within its noise";
  const auto all = attribute(runs);
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(row(all[0], "cross").seeds, (std::vector<int64_t>{1, 2}));
  EXPECT_EQ(row(all[0], "share").seeds, (std::vector<int64_t>{2}));
  EXPECT_TRUE(all[0].left_out.empty());
}

TEST(CompensationAttribution, LeavesOutALayerOnBothSidesAndNamesIt) {
  std::vector<RunRecoveries> runs{attention(1, {{0.001, 0.001, 0.002}, {0.001, 0.001, 0.008}}),
                                  moe(1, {{0.001, 0.001, 0.001}, {0.001, 0.001, 0.001}}),
                                  attention(2, {{0.001, 0.001, 0.002}, {0.001, 0.001, 0.008}}),
                                  moe(2, {{0.001, 0.001, 0.001}, {0.001, 0.001, 0.001}}),
                                  attention(3, {{0.001, 0.001, 0.002}}),
                                  moe(3, {{0.001, 0.001, 0.001}})};
  auto& undefined = runs[0].results[1].capacities.front().shares.back();
  runs[0].results[1].dose_cost = {0.0001, 0.001, 8};
  undefined.share.reset();
  undefined.undefined = "the swap costs 0.000100 nats, within its noise";
  runs[3].results[0].unmatched = "no dose costs 0.02 nats; the whole swap costs 0.01";
  runs[5].results[0].capacities.front().dimension = 32;
  const auto all = attribute(runs);
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(row(all[0], "cross").seeds, (std::vector<int64_t>{1, 2}));
  EXPECT_NEAR(row(all[0], "cross").attention.at(0), 0.002, 1e-12);  // of layer 0 alone
  EXPECT_NEAR(row(all[0], "cross").attention.at(1), 0.008, 1e-12);  // of layer 1 alone
  EXPECT_EQ(all[0].left_out,
            (std::vector<std::string>{
                "attention seed 1, 1.attention_router: the swap costs 0.000100 nats, within its noise",
                "moe seed 2, 0.expert_router: no dose costs 0.02 nats; the whole swap costs 0.01",
                "moe seed 3, 0.expert_router: measured with other settings (m = 32, n = 20, damage 0.02 nats)",
                "seed 3: no layer can be compared"}));
}

TEST(CompensationAttribution, ALayerThatOneSideLacksIsNamed) {
  const std::vector<RunRecoveries> runs{attention(1, {{1, 1, 1}, {2, 2, 2}}), moe(1, {{1, 1, 1}})};
  const auto all = attribute(runs);
  EXPECT_EQ(row(all.at(0), "cross").attention, std::vector<double>{1});
  EXPECT_EQ(all[0].left_out, std::vector<std::string>{"moe seed 1, 1.expert_router: it was not measured"});
}

/// Share of studies without a true difference whose verdict is one of `words`.
double simulated_verdicts(int64_t seeds, double difference, const std::string& word, int studies) {
  return simulated_share(
      11,
      [&](Random& random) {
        std::vector<RunRecoveries> runs;
        for (int64_t seed = 1; seed <= seeds; ++seed) {
          const double shared = 0.001 * random.gauss();  // what one seed's initial values do to both targets
          const auto cross = [&](double mean) { return mean + shared + 0.0005 * random.gauss(); };
          runs.push_back(attention(seed, {{0.003, 0.002, cross(0.006 + difference)}}));
          runs.push_back(moe(seed, {{0.003, 0.002, cross(0.006)}}));
        }
        return attribute(runs).at(0).verdict == word;
      },
      studies);
}

TEST(CompensationAttribution, VerdictHasItsSizeWithoutADifference) {
  constexpr int studies = 1500;
  const double supported = simulated_verdicts(5, 0, "supported", studies),
               contradicted = simulated_verdicts(5, 0, "contradicted", studies);
  EXPECT_NEAR(supported, 0.025, monte_carlo_error(0.025, studies));
  EXPECT_NEAR(contradicted, 0.025, monte_carlo_error(0.025, studies));
  EXPECT_NEAR(supported + contradicted, 0.05, monte_carlo_error(0.05, studies));
  EXPECT_GT(simulated_verdicts(5, 0.002, "supported", 200), 0.8);  // and power where there is one
}

}  // namespace
}  // namespace absorb
