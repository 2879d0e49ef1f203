// Which kernels a piece of work runs on the GPU and for how long, from CUPTI's activity records: what `absorb bench`
// prints. Graph replays are seen kernel by kernel. Surprising: a traced step is slower than an untraced one where the
// GPU waits for the CPU, so that idle time is the untraced step less what was busy here. One trace at a time a process.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace absorb {

/// All launches of one kernel.
struct KernelTime {
  std::string name;  // shortened; copies and fills are "memcpy" and "memset"
  int64_t count = 0;
  double seconds = 0;  // summed over launches
};

struct KernelTrace {
  std::vector<KernelTime> kernels;  // the longest first
  double busy_seconds = 0;          // in which at least one of them ran
};

/// Begins to record. UserError where CUPTI can't be had.
void start_kernel_trace();
/// Waits for the device and ends the trace.
KernelTrace stop_kernel_trace();

/// A kernel's name as a reader wants it, from the mangled one: no return type, namespaces or parameters, short template
/// arguments alone; of LibTorch's elementwise kernels also the function that they apply.
std::string short_kernel_name(std::string_view mangled);

/// What one launch took, in nanoseconds of one clock.
struct KernelSpan {
  uint64_t begin = 0, end = 0;
};
/// Nanoseconds in which at least one span was open.
uint64_t busy_nanoseconds(std::vector<KernelSpan> spans);

}  // namespace absorb
