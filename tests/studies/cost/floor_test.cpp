// Against the floors that were computed by hand for the size of the benchmark and of the paper (docs/performance.md).
#include "studies/cost/floor.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "core/error.h"
#include "studies/plan/plan.h"
#include "studies/study/study.h"

namespace absorb {
namespace {

struct Known {
  const char *shape, *arm;
  double at_3_0, at_4_3;  // milliseconds at that many TB/s
};

RunSettings arm_of(const Known& known) {
  const Path file = Path(ABSORB_SOURCE_DIR) / "benchmarks/arms" / (std::string(known.shape) + ".toml");
  for (const RunSpec& run : plan_runs(read_study(file), "runs").runs)
    if (run.arm == known.arm) return run.settings;
  ADD_FAILURE() << known.shape << " has no arm " << known.arm;
  return {};
}

TEST(Floor, IsThatOfTheBenchmarksArms) {
  for (const Known& known : {Known{"peer-512", "dense", 12.3, 10.6}, Known{"peer-512", "soft-bias", 12.9, 11.0},
                             Known{"peer-512", "hard-64", 12.6, 10.9}, Known{"peer-512", "moe-top2", 13.6, 11.5},
                             Known{"peer-2048", "dense", 13.3, 11.8}, Known{"peer-2048", "soft-bias", 14.2, 12.7},
                             Known{"paper", "dense", 2.55, 2.00}, Known{"paper", "soft-scale", 2.65, 2.09},
                             Known{"paper", "moe-top2", 2.71, 2.10}}) {
    const auto operations = step_operations(arm_of(known), 50257, "bf16");
    EXPECT_NEAR(1e3 * floor_seconds(operations, {3.0e12, 780e12}), known.at_3_0, 0.035 * known.at_3_0)
        << known.shape << ' ' << known.arm;
    EXPECT_NEAR(1e3 * floor_seconds(operations, {4.3e12, 780e12}), known.at_4_3, 0.035 * known.at_4_3)
        << known.shape << ' ' << known.arm;
  }
}

TEST(Floor, CountsTheBytesAndOperationsOfTheDenseStep) {
  double bytes = 0, work = 0, head = 0;
  for (const FloorOperation& operation : step_operations(arm_of({"peer-512", "dense", 0, 0}), 50257, "bf16")) {
    bytes += operation.bytes * static_cast<double>(operation.count);
    work += operation.operations * static_cast<double>(operation.count);
    if (operation.name.starts_with("logits")) head += operation.operations;
  }
  EXPECT_NEAR(bytes, 31.6e9, 0.5e9);
  EXPECT_NEAR(work, 6.19e12, 0.02e12);
  EXPECT_NEAR(head, 3.80e12, 0.01e12);
}

TEST(Floor, RoutingAddsAndSinglePrecisionDoublesActivations) {
  const auto seconds = [](const char* arm, const std::string& precision) {
    return floor_seconds(step_operations(arm_of({"peer-512", arm, 0, 0}), 50257, precision), {});
  };
  EXPECT_GT(seconds("soft-scale", "bf16"), seconds("dense", "bf16"));
  EXPECT_GT(seconds("hard-64", "bf16"), seconds("soft-bias", "bf16"));
  EXPECT_GT(seconds("moe-top2", "bf16"), seconds("moe-soft", "bf16"));
  EXPECT_GT(seconds("dense", "fp32"), 1.4 * seconds("dense", "bf16"));
  EXPECT_EQ(floor_seconds({"copy", 3e12, 0, 2}, {3e12, 1}), 2);
  EXPECT_EQ(floor_seconds({"product", 0, 5, 1}, {3e12, 2}), 2.5);
}

}  // namespace
}  // namespace absorb
