#include "studies/work/display.h"

#include <gtest/gtest.h>

#include <unistd.h>

#include <cmath>
#include <cstdlib>

namespace absorb {
namespace {

StudyProgress six_runs() {
  StudyProgress study{{}, 3, 12, 5025};
  for (const char* seed : {"1", "2", "3", "4", "5"})
    study.active.push_back({std::string("learned.attention/seed-") + seed, 50, 200, 2.3456, 12345, 75});
  study.active.push_back({"random.moe/seed-1: 2 deployments to go"});
  return study;
}

TEST(StudyDisplay, ALineSaysAsMuchAsFits) {
  const StudyProgress one{{{"dense/seed-1", 50, 200, 2.3456, 12345, 75}}, 1, 4, 3600};
  EXPECT_EQ(
      progress_line(one),
      "[######..............] 1/4 runs  dense/seed-1 50/200 loss 2.346 12.3k tok/s, 1:15 left  study 1:00:00 left");
  EXPECT_EQ(progress_line(one, 100), "[######..............] 1/4 runs  dense/seed-1 25%  study 1:00:00 left");
  EXPECT_EQ(progress_line(one, 64), "[######..............] 1/4 runs  1 at work  study 1:00:00 left");
  EXPECT_EQ(progress_line(one, 40), "1/4 runs  study 1:00:00 left");
  EXPECT_EQ(progress_line(one, 12), "1/4 runs ...");
}

TEST(StudyDisplay, NoLineIsWiderThanTheTerminal) {
  const StudyProgress study = six_runs();
  EXPECT_GT(progress_line(study).size(), 300U);
  EXPECT_NE(progress_line(study).find("random.moe/seed-1: 2 deployments to go"), std::string::npos);
  for (std::size_t width = 1; width < 400; ++width) EXPECT_LE(progress_line(study, width).size(), width);
}

TEST(StudyDisplay, WhatTakesHowLongIsAskedAtFirst) {
  EXPECT_NE(progress_line({{}, 0, 2, NAN}, 79).find("study ? left"), std::string::npos);
}

TEST(StudyDisplay, ColumnsAreThoseOfTheEnvironmentWithoutATerminal) {
  if (::isatty(STDERR_FILENO) != 0) GTEST_SKIP() << "standard error is a terminal here";
  ::setenv("COLUMNS", "51", 1);
  EXPECT_EQ(terminal_width(), 50U);
  ::setenv("COLUMNS", "many", 1);
  EXPECT_EQ(terminal_width(), 79U);
  ::unsetenv("COLUMNS");
  EXPECT_EQ(terminal_width(), 79U);
}

}  // namespace
}  // namespace absorb
