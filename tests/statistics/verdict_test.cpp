#include "statistics/verdict.h"

#include <gtest/gtest.h>

#include <cmath>

namespace absorb {
namespace {

Evidence evidence(int64_t n, double mean, double p_t, double p_tost) {
  return {n, mean, p_t, p_tost, false};
}

TEST(StatisticsVerdict, FourWords) {
  EXPECT_EQ(verdict(evidence(5, 1, 0.01, 0.6)), Verdict::different);
  EXPECT_EQ(verdict(evidence(5, 1, 0.01, 0.01)), Verdict::different_within_margin);
  EXPECT_EQ(verdict(evidence(5, 1, 0.3, 0.01)), Verdict::equivalent);
  EXPECT_EQ(verdict(evidence(5, 1, 0.3, 0.3)), Verdict::undecided);
  EXPECT_EQ(verdict(evidence(5, 1, 0.05, 0.3)), Verdict::different);
  EXPECT_EQ(verdict(evidence(5, 1, 0.0501, 0.3)), Verdict::undecided);
  EXPECT_EQ(verdict(evidence(5, 1, 0.03, 0.3), 0.01), Verdict::undecided);
}

TEST(StatisticsVerdict, NoneBelowFiveSeeds) {
  for (int64_t n : {0, 1, 3, 4}) EXPECT_EQ(verdict(evidence(n, 1, 1e-9, 1e-9)), Verdict::undecided_n);
}

TEST(StatisticsVerdict, ThePositiveControlDecidesAtThree) {
  Evidence control = evidence(3, 1, 0.01, 0.9);
  control.positive_control = true;
  EXPECT_EQ(verdict(control), Verdict::different);
  control.n = 2;
  EXPECT_EQ(verdict(control), Verdict::undecided_n);
}

TEST(StatisticsVerdict, ATestThatWasNotMadeDoesNotPass) {
  const double nan = std::nan("");
  EXPECT_EQ(verdict(evidence(6, 1, nan, nan)), Verdict::undecided);
  EXPECT_EQ(verdict(evidence(6, 1, 0.01, nan)), Verdict::different);
}

TEST(StatisticsVerdict, Names) {
  EXPECT_EQ(name(Verdict::different), "different");
  EXPECT_EQ(name(Verdict::different_within_margin), "different-within-margin");
  EXPECT_EQ(name(Verdict::equivalent), "equivalent");
  EXPECT_EQ(name(Verdict::undecided), "undecided");
  EXPECT_EQ(name(Verdict::undecided_n), "undecided (n)");
  EXPECT_EQ(name(Verdict::scale_dependent), "scale-dependent");
}

TEST(StatisticsVerdict, SeverityNeedsTheSameSignOnBothScales) {
  EXPECT_EQ(severity_verdict(evidence(5, 0.2, 0.01, 0.9), evidence(5, 0.1, 0.01, 0.9)), Verdict::different);
  EXPECT_EQ(severity_verdict(evidence(5, -0.2, 0.01, 0.9), evidence(5, -0.1, 0.01, 0.9)), Verdict::different);
  EXPECT_EQ(severity_verdict(evidence(5, -0.2, 0.01, 0.9), evidence(5, 0.1, 0.01, 0.9)), Verdict::scale_dependent);
  EXPECT_EQ(severity_verdict(evidence(5, 0.2, 0.9, 0.01), evidence(5, -0.1, 0.9, 0.01)), Verdict::scale_dependent);
}

TEST(StatisticsVerdict, SeverityPassesATestOnlyOnBothScales) {
  EXPECT_EQ(severity_verdict(evidence(5, 0.2, 0.2, 0.9), evidence(5, 0.1, 0.01, 0.9)), Verdict::undecided);
  EXPECT_EQ(severity_verdict(evidence(5, 0.2, 0.01, 0.9), evidence(5, 0.1, 0.2, 0.9)), Verdict::undecided);
  EXPECT_EQ(severity_verdict(evidence(5, 0.2, 0.9, 0.01), evidence(5, 0.1, 0.9, 0.04)), Verdict::equivalent);
  EXPECT_EQ(severity_verdict(evidence(5, 0.2, 0.9, std::nan("")), evidence(5, 0.1, 0.9, 0.04)), Verdict::undecided);
  EXPECT_EQ(severity_verdict(evidence(5, 0.2, 0.9, 0.04), evidence(5, 0.1, 0.9, std::nan(""))), Verdict::undecided);
}

TEST(StatisticsVerdict, SeverityWithoutAFractionOrWithFewSeeds) {
  EXPECT_EQ(severity_verdict(evidence(5, std::nan(""), 0.01, 0.9), evidence(5, 0.1, 0.01, 0.9)), Verdict::undecided);
  EXPECT_EQ(severity_verdict(evidence(3, -0.2, 0.01, 0.9), evidence(3, 0.1, 0.01, 0.9)), Verdict::undecided_n);
}

}  // namespace
}  // namespace absorb
