#include "statistics/counting/information.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <numbers>
#include <vector>

#include "core/error.h"
#include "tests/statistics/simulate.h"

namespace absorb {
namespace {

using Kinds = std::vector<int64_t>;

int64_t kind(Random& random, int64_t kinds) {
  return static_cast<int64_t>(random.below(static_cast<uint64_t>(kinds)));
}

struct Observed {
  Kinds decisions, labels, strata;
};

Information told(const Observed& seen, int64_t permutations, uint64_t key = 0) {
  return information(count_pairs(seen.decisions, seen.labels, seen.strata), permutations, key);
}

/// Labels of uniform frequency; the decision is the label, but with probability `error` one of the others.
Observed channel(Random& random, int64_t n, int64_t symbols, double error) {
  Observed seen;
  for (int64_t i = 0; i < n; ++i) {
    const int64_t label = kind(random, symbols);
    const bool wrong = random.uniform() < error;
    seen.labels.push_back(label);
    seen.decisions.push_back(wrong ? (label + 1 + kind(random, symbols - 1)) % symbols : label);
  }
  return seen;
}

double capacity(double symbols, double error) {
  const double stays = error > 0 ? -error * std::log2(error) - (1 - error) * std::log2(1 - error) : 0;
  return std::log2(symbols) - stays - error * std::log2(symbols - 1);
}

TEST(StatisticsInformation, CountsPairsByStratum) {
  const std::vector<CountTable> tables = count_pairs(Kinds{0, 1, 1, 0}, Kinds{2, 0, 0, 2}, Kinds{0, 0, 1, 1});
  ASSERT_EQ(tables.size(), 2U);
  EXPECT_EQ(tables[0].decisions, 2);
  EXPECT_EQ(tables[0].labels, 3);
  EXPECT_EQ(tables[0].counts, (Kinds{0, 0, 1, 1, 0, 0}));
  EXPECT_EQ(tables[1].counts, tables[0].counts);
}

TEST(StatisticsInformation, OfATableByHand) {
  // 1/2, 0; 1/4, 1/4: H(decision) = 1, H(label) = 2 - 3/4 log2 3, H(both) = 3/2. Three pairs seen of two and two kinds:
  // Miller's terms cancel.
  const Information seen = information(std::vector<CountTable>{{2, 2, {2, 0, 1, 1}}}, 0);
  EXPECT_EQ(seen.n, 4);
  EXPECT_DOUBLE_EQ(seen.decision_entropy, 1);
  EXPECT_NEAR(seen.label_entropy, 2 - 0.75 * std::log2(3), 1e-15);
  EXPECT_NEAR(seen.plug_in, 1.5 - 0.75 * std::log2(3), 1e-15);
  EXPECT_DOUBLE_EQ(seen.corrected, seen.plug_in);
  EXPECT_TRUE(std::isnan(seen.p) && std::isnan(seen.null_mean) && std::isnan(seen.null_95));
  // Four pairs of two and two kinds, eight observations: 1 / (16 ln 2) bits.
  const Information all = information(std::vector<CountTable>{{2, 2, {3, 1, 1, 3}}}, 0);
  EXPECT_NEAR(all.plug_in - all.corrected, 1 / (16 * std::numbers::ln2), 1e-15);
}

TEST(StatisticsInformation, OfASymmetricChannel) {
  Random random(61);
  for (const int64_t symbols : {2, 4, 8})
    for (const double error : {0.05, 0.3}) {
      const Information seen = told(channel(random, 100'000, symbols, error), 19);
      const double truth = capacity(static_cast<double>(symbols), error);
      EXPECT_NEAR(seen.corrected / truth, 1, 0.02) << symbols << " symbols, error " << error;
      EXPECT_DOUBLE_EQ(seen.p, 1.0 / 20);
      EXPECT_LT(seen.null_95, 0.001);
    }
}

TEST(StatisticsInformation, OfAMapIsTheEntropy) {
  Random random(62);
  Observed seen;
  for (int i = 0; i < 5000; ++i) {
    seen.labels.push_back(kind(random, 6));
    seen.decisions.push_back(seen.labels.back() / 2);  // three decisions, each of two labels
  }
  const Information mapped = told(seen, 99);
  EXPECT_NEAR(mapped.plug_in, mapped.decision_entropy, 1e-12);
  EXPECT_NEAR(mapped.plug_in, std::log2(3), 0.01);
  EXPECT_DOUBLE_EQ(mapped.p, 0.01);
}

TEST(StatisticsInformation, NamesDontMatter) {
  Random random(63);
  const Observed seen = channel(random, 400, 5, 0.6);
  Observed renamed = seen, turned{seen.labels, seen.decisions, {}};
  for (int64_t& label : renamed.labels) label = 9 - 2 * label;  // gaps: kinds that never come
  for (int64_t& decision : renamed.decisions) decision = (decision + 3) % 5;
  const Information one = told(seen, 999), other = told(renamed, 999), back = told(turned, 999);
  for (const Information& same : {other, back}) {
    EXPECT_NEAR(same.plug_in, one.plug_in, 1e-12);
    EXPECT_NEAR(same.corrected, one.corrected, 1e-12);
    EXPECT_NEAR(same.null_mean, one.null_mean, 0.1 * one.null_mean);
    EXPECT_NEAR(same.null_95, one.null_95, 0.1 * one.null_95);
  }
  EXPECT_DOUBLE_EQ(told(seen, 99).p, told(seen, 99).p);  // the same draws
  EXPECT_NE(told(seen, 99, 1).null_mean, told(seen, 99, 2).null_mean);
}

TEST(StatisticsInformation, CorrectedIsZeroOnAverageWhereThereIsNothing) {
  constexpr int tables = 4000;
  Random random(64);
  double plug_in = 0, corrected = 0, null = 0, squares = 0;
  for (int table = 0; table < tables; ++table) {
    const Information seen =
        told(channel(random, 200, 4, 0.75), 20, static_cast<uint64_t>(table));  // error 3/4 of 4 symbols: independent
    plug_in += seen.plug_in / tables;
    corrected += seen.corrected / tables;
    null += seen.null_mean / tables;
    squares += seen.corrected * seen.corrected / tables;
  }
  // 2 n ln 2 I is chi-square with 9 degrees of freedom (Wilks).
  const double expected = 9 / (400 * std::numbers::ln2), error = std::sqrt(squares / tables);
  std::printf("independent: plug-in %.4f (%.4f expected), permuted %.4f, corrected %.5f -+ %.5f bits\n", plug_in,
              expected, null, corrected, error);
  EXPECT_NEAR(plug_in, expected, 0.05 * expected);
  EXPECT_NEAR(null, plug_in, 4 * error);
  EXPECT_NEAR(corrected, 0, 0.05 * expected);
}

/// Checks that p is at or below each of these shares of studies just so often.
template <class Draw>
void expect_uniform(uint64_t seed, int tables, Draw draw) {
  const std::vector<double> at{0.05, 0.1, 0.25, 0.5, 0.75};
  std::vector<int> below(at.size());
  Random random(seed);
  for (int table = 0; table < tables; ++table) {
    const double p = told(draw(random), 99, static_cast<uint64_t>(table)).p;
    for (size_t i = 0; i < at.size(); ++i) below[i] += p <= at[i] + 1e-9 ? 1 : 0;
  }
  for (size_t i = 0; i < at.size(); ++i) {
    const double share = static_cast<double>(below[i]) / tables;
    std::printf("p <= %.2f in %.4f\n", at[i], share);
    EXPECT_NEAR(share, at[i], monte_carlo_error(at[i], tables)) << at[i];
  }
}

TEST(StatisticsInformation, PIsUniformWhereThereIsNothing) {
  expect_uniform(65, 4000, [](Random& random) { return channel(random, 150, 4, 0.75); });
}

/// The stratum decides both how often a decision and how often a label comes; given it they are independent.
Observed confounded(Random& random, int64_t n) {
  Observed seen;
  for (int64_t i = 0; i < n; ++i) {
    const int64_t stratum = kind(random, 3);
    seen.strata.push_back(stratum);
    seen.decisions.push_back(random.uniform() < 0.6 ? stratum : kind(random, 3));
    seen.labels.push_back(random.uniform() < 0.6 ? stratum : kind(random, 3));
  }
  return seen;
}

TEST(StatisticsInformation, GivenTheStratumPIsUniformWhereNothingElseIs) {
  expect_uniform(66, 4000, [](Random& random) { return confounded(random, 150); });
  Random random(67);
  Observed seen = confounded(random, 3000);
  const Information given = told(seen, 99);
  seen.strata.clear();
  const Information all = told(seen, 99);
  EXPECT_GT(all.corrected, 0.1);  // the stratum's
  EXPECT_DOUBLE_EQ(all.p, 0.01);
  EXPECT_LT(std::abs(given.corrected), 0.01);
}

TEST(StatisticsInformation, GivenTheStratumIsTheMeanOverStrata) {
  Random random(68);
  const Observed clean = channel(random, 40'000, 4, 0.1), noisy = channel(random, 20'000, 4, 0.6);
  Observed both = clean;
  both.decisions.insert(both.decisions.end(), noisy.decisions.begin(), noisy.decisions.end());
  both.labels.insert(both.labels.end(), noisy.labels.begin(), noisy.labels.end());
  both.strata.assign(40'000, 0);
  both.strata.insert(both.strata.end(), 20'000, 2);  // stratum 1 never comes
  const Information given = told(both, 19);
  EXPECT_EQ(given.n, 60'000);
  EXPECT_NEAR(given.plug_in, (2 * told(clean, 0).plug_in + told(noisy, 0).plug_in) / 3, 1e-12);
  EXPECT_NEAR(given.corrected, (2 * capacity(4, 0.1) + capacity(4, 0.6)) / 3, 0.02);
  EXPECT_DOUBLE_EQ(given.p, 1.0 / 20);
}

TEST(StatisticsInformation, Edges) {
  EXPECT_THROW(count_pairs({}, {}), InternalError);
  EXPECT_THROW(count_pairs(Kinds{1, 2}, Kinds{1}), InternalError);
  EXPECT_THROW(count_pairs(Kinds{1}, Kinds{-1}), InternalError);
  EXPECT_THROW(count_pairs(Kinds{1}, Kinds{1}, Kinds{0, 1}), InternalError);
  EXPECT_THROW(information({}), InternalError);
  EXPECT_THROW(information(std::vector<CountTable>{{2, 2, {0, 0, 0, 0}}}), InternalError);
  EXPECT_THROW(information(std::vector<CountTable>{{2, 2, {1, 0, 0}}}), InternalError);
  EXPECT_THROW(information(std::vector<CountTable>{{1, 2, {1, -1}}}), InternalError);
  EXPECT_THROW(information(std::vector<CountTable>{{1, 1, {1}}}, -1), InternalError);
  const Information one = information(std::vector<CountTable>{{1, 1, {7}}}, 9);  // one kind of each says nothing
  EXPECT_EQ(one.plug_in, 0);
  EXPECT_EQ(one.corrected, 0);
  EXPECT_EQ(one.p, 1);
}

}  // namespace
}  // namespace absorb
