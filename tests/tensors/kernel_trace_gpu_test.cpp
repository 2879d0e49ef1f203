// What CUPTI records of LibTorch's own operations.
#include <gtest/gtest.h>
#include <torch/types.h>

#include "core/device.h"
#include "tensors/kernels/kernel_trace.h"

namespace absorb {
namespace {

TEST(KernelTraceGpu, CountsLaunchesAndTimesThem) {
  if (const std::string reason = why_no_cuda(); !reason.empty()) GTEST_SKIP() << reason;
  const at::Tensor x = at::rand({1 << 24}, at::TensorOptions().device(at::kCUDA));
  at::Tensor y = at::empty_like(x);
  for (int repeat = 0; repeat < 2; ++repeat) {
    start_kernel_trace();
    for (int i = 0; i < 3; ++i) at::add_out(y, x, x);
    y.copy_(x);
    const KernelTrace trace = stop_kernel_trace();
    ASSERT_EQ(trace.kernels.size(), 2U);
    int64_t launches = 0;
    double seconds = 0;
    for (const KernelTime& kernel : trace.kernels) {
      launches += kernel.count;
      seconds += kernel.seconds;
    }
    EXPECT_EQ(launches, 4);
    EXPECT_GT(trace.busy_seconds, 0);
    EXPECT_LE(trace.busy_seconds, 1.001 * seconds);
  }
}

}  // namespace
}  // namespace absorb
