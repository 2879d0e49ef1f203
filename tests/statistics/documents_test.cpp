#include "statistics/documents.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "core/error.h"
#include "tests/statistics/simulate.h"

namespace absorb {
namespace {

using Matrix = std::vector<std::vector<double>>;

TEST(StatisticsDocuments, MeanIsWeightedByTokens) {
  const Matrix rows{{0.0, 1.0}, {0.5, 1.5}};
  const DocumentInterval result = document_interval(rows, std::vector<double>{300, 100});
  EXPECT_EQ(result.seeds, 2);
  EXPECT_EQ(result.documents, 2);
  EXPECT_DOUBLE_EQ(result.mean, 0.5);
  ASSERT_TRUE(result.ci95);
  EXPECT_TRUE(result.ci95->contains(0.5));
}

TEST(StatisticsDocuments, ReducesToTheTIntervalOverSeeds) {
  // Documents that agree exactly: only the seeds vary.
  const Matrix rows{{1, 1, 1}, {2, 2, 2}, {4, 4, 4}};
  const DocumentInterval result = document_interval(rows, std::vector<double>{5, 7, 9});
  const auto expected = t_interval(std::vector<double>{1, 2, 4});
  ASSERT_TRUE(result.ci95);
  EXPECT_NEAR(result.df, 2, 1e-9);
  EXPECT_NEAR(result.ci95->low, expected->low, 1e-9);
  EXPECT_NEAR(result.ci95->high, expected->high, 1e-9);
}

TEST(StatisticsDocuments, ReducesToTheTIntervalOverDocuments) {
  // Seeds that agree exactly, documents of equal length: only the documents vary.
  const Matrix rows{{1, 2, 4}, {1, 2, 4}};
  const DocumentInterval result = document_interval(rows, std::vector<double>{8, 8, 8});
  const auto expected = t_interval(std::vector<double>{1, 2, 4});
  ASSERT_TRUE(result.ci95);
  EXPECT_NEAR(result.ci95->low, expected->low, 1e-9);
  EXPECT_NEAR(result.ci95->high, expected->high, 1e-9);
}

TEST(StatisticsDocuments, AnovaByHand) {
  // 2 x 2 of equal weights: seed means 1.5 and 4.5, document means 2 and 4, residuals -+1/2. V_s = 4.5 / 2,
  // V_d = 2 / 2, V_sd = 1 / 4; df = 3^2 / (2.25^2 + 1).
  const Matrix rows{{1, 2}, {3, 6}};
  const DocumentInterval result = document_interval(rows, std::vector<double>{1, 1});
  EXPECT_DOUBLE_EQ(result.mean, 3);
  EXPECT_NEAR(result.standard_error, std::sqrt(2.25 + 1 - 0.25), 1e-12);
  EXPECT_NEAR(result.df, 9 / (2.25 * 2.25 + 1), 1e-12);
}

TEST(StatisticsDocuments, NeverFallsBelowOneOfItsParts) {
  // Residuals alone, which cancel in every mean: V_s = V_d = 0, V_sd = 1.
  const DocumentInterval result = document_interval(Matrix{{1, -1}, {-1, 1}}, std::vector<double>{1, 1});
  EXPECT_NEAR(result.standard_error, 1, 1e-12);
  EXPECT_DOUBLE_EQ(result.df, 1);
  // V_s = 4, V_d = 0, V_sd = 1, and the transposed case.
  EXPECT_NEAR(document_interval(Matrix{{2, 0}, {4, 6}}, std::vector<double>{1, 1}).standard_error, 2, 1e-12);
  EXPECT_NEAR(document_interval(Matrix{{2, 4}, {0, 6}}, std::vector<double>{1, 1}).standard_error, 2, 1e-12);
}

TEST(StatisticsDocuments, Edges) {
  const std::vector<double> two{1, 1};
  EXPECT_FALSE(document_interval(Matrix{{1, 2}}, two).ci95);
  EXPECT_FALSE(document_interval(Matrix{{1}, {2}}, std::vector<double>{1}).ci95);
  EXPECT_FALSE(document_interval(Matrix{{1, std::nan("")}, {1, 2}}, two).ci95);
  EXPECT_TRUE(std::isnan(document_interval(Matrix{}, two).mean));
  EXPECT_THROW(document_interval(Matrix{{1, 2}, {1}}, two), InternalError);
  EXPECT_THROW(document_interval(Matrix{{1, 2}, {1, 3}}, std::vector<double>{1, 0}), InternalError);
}

TEST(StatisticsDocuments, OnePairOfRunsVariesOverItsDocumentsAlone) {
  // Documents of equal length: the paired t interval over them.
  const std::vector<double> row{1, 2, 4, 3};
  const DocumentInterval result = document_interval_of_pair(row, std::vector<double>{8, 8, 8, 8});
  const auto expected = t_interval(row);
  EXPECT_EQ(result.seeds, 1);
  EXPECT_DOUBLE_EQ(result.mean, 2.5);
  EXPECT_DOUBLE_EQ(result.df, 3);
  ASSERT_TRUE(result.ci95);
  EXPECT_NEAR(result.ci95->low, expected->low, 1e-12);
  EXPECT_NEAR(result.ci95->high, expected->high, 1e-12);
  // Shares 3/4 and 1/4, mean 1/4: sums of squared and cubed shares 5/8 and 7/16: the unbiased factor is
  // 5/8 / (5/8 - 7/8 + 25/64) = 40/9, the variance 40/9 * 18/256.
  const DocumentInterval weighted = document_interval_of_pair(std::vector<double>{0, 1}, std::vector<double>{300, 100});
  EXPECT_DOUBLE_EQ(weighted.mean, 0.25);
  EXPECT_NEAR(weighted.standard_error, std::sqrt(40.0 / 9 * 18 / 256), 1e-12);
  EXPECT_FALSE(document_interval_of_pair(std::vector<double>{1}, std::vector<double>{5}).ci95);
  EXPECT_FALSE(document_interval_of_pair(std::vector<double>{1, std::nan("")}, std::vector<double>{5, 5}).ci95);
  EXPECT_THROW(document_interval_of_pair(std::vector<double>{1, 2}, std::vector<double>{5}), InternalError);
}

TEST(StatisticsDocuments, CoverageOfOnePairOverDocuments) {
  const double covered = simulated_share(
      902,
      [](Random& random) {
        std::vector<double> tokens(60);
        for (double& count : tokens) count = 50 + 400 * random.uniform();
        const auto row = simulate_differences(random, 60, 0.2, 0.3);
        return document_interval_of_pair(row, tokens).ci95->contains(0.2);
      },
      4000);
  EXPECT_GE(covered, 0.94);
  EXPECT_LE(covered, 0.96);
}

struct Model {
  int64_t seeds, documents;
  double seed_sd, document_sd, noise_sd;
};

double coverage(uint64_t key, const Model& model, bool equal_lengths) {
  constexpr int studies = 2000;
  return simulated_share(
      key,
      [&](Random& random) {
        std::vector<double> tokens(static_cast<size_t>(model.documents));
        for (double& count : tokens) count = equal_lengths ? 100 : 50 + 400 * random.uniform();
        const auto document = simulate_differences(random, model.documents, 0.2, model.document_sd);
        Matrix rows;
        for (int64_t seed = 0; seed < model.seeds; ++seed) {
          rows.push_back(simulate_differences(random, model.documents, model.seed_sd * random.gauss(), model.noise_sd));
          for (size_t j = 0; j < document.size(); ++j) rows.back()[j] += document[j];
        }
        return document_interval(rows, tokens).ci95->contains(0.2);
      },
      studies);
}

TEST(StatisticsDocuments, Coverage) {
  // Seeds matter most; documents matter most; both matter. Measured: 0.948 to 0.962.
  for (const Model& model : {Model{3, 40, 0.05, 0.1, 0.2}, Model{5, 40, 0.01, 0.3, 0.2}, Model{5, 40, 0.05, 0.3, 0.2}})
    for (bool equal_lengths : {true, false}) {
      const double covered = coverage(901, model, equal_lengths);
      EXPECT_GE(covered, 0.93) << model.seeds << " seeds, document sd " << model.document_sd << ", " << equal_lengths;
      EXPECT_LE(covered, 0.975) << model.seeds << " seeds, document sd " << model.document_sd << ", " << equal_lengths;
    }
}

}  // namespace
}  // namespace absorb
