// What a run's settings are made of beyond reading them.
#include "studies/plan/run_settings.h"

#include <gtest/gtest.h>

namespace absorb {
namespace {

// The 2 x 2 of selectors asks for attention without QK^T beside experts in an otherwise ordinary transformer.
TEST(RunSettings, QueriesAndKeysAreLeftOutOfRoutedAttentionAlone) {
  const Settings tables = Settings::from_text("data.type = 'recall'\nmodel.attention.native = 'none'\n", "test");
  const auto native = [&tables](const char* target) {
    return read_run_settings(tables, target, 1).model.attention.native;
  };
  EXPECT_EQ(native("attention"), "none");
  EXPECT_EQ(native("both"), "none");
  EXPECT_EQ(native("moe"), "qk");
  EXPECT_EQ(native("dense"), "qk");
}

}  // namespace
}  // namespace absorb
