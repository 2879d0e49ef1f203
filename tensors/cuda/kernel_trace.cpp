// CUPTI's activity API. Its library comes with LibTorch's own, so it is looked up, not linked: programs that link these
// objects need not name it.
#include "tensors/kernels/kernel_trace.h"

#include <cuda_runtime_api.h>
#include <cupti.h>
#include <dlfcn.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <mutex>

#include "core/error.h"

namespace absorb {
namespace {

struct Cupti {
  decltype(&cuptiActivityRegisterCallbacks) register_callbacks = nullptr;
  decltype(&cuptiActivityEnable) enable = nullptr;
  decltype(&cuptiActivityDisable) disable = nullptr;
  decltype(&cuptiActivityFlushAll) flush = nullptr;
  decltype(&cuptiActivityGetNextRecord) next = nullptr;
  decltype(&cuptiGetResultString) describe = nullptr;
};

template <class F>
void look_up(void* library, F& function, const char* name) {
  function = reinterpret_cast<F>(::dlsym(library, name));
  require(function != nullptr, "the kernels can't be traced: CUPTI has no {}", name);
}

const Cupti& cupti() {
  static const Cupti found = [] {
    void* library = ::dlopen("libcupti.so.13", RTLD_NOW);
    require(library != nullptr, "the kernels can't be traced: {}", ::dlerror());
    Cupti all;
    look_up(library, all.register_callbacks, "cuptiActivityRegisterCallbacks");
    look_up(library, all.enable, "cuptiActivityEnable");
    look_up(library, all.disable, "cuptiActivityDisable");
    look_up(library, all.flush, "cuptiActivityFlushAll");
    look_up(library, all.next, "cuptiActivityGetNextRecord");
    look_up(library, all.describe, "cuptiGetResultString");
    return all;
  }();
  return found;
}

void check_cupti(CUptiResult result) {
  if (result == CUPTI_SUCCESS) return;
  const char* text = nullptr;
  cupti().describe(result, &text);
  user_error("the kernels can't be traced: CUPTI says {}", text != nullptr ? text : "nothing");
}

// CUPTI hands buffers back on a thread of its own.
struct Recorded {
  std::mutex mutex;
  std::map<std::string, KernelTime> by_name;  // as CUPTI names them
  std::vector<KernelSpan> spans;
};
Recorded& recorded() {
  static Recorded all;
  return all;
}

constexpr std::size_t buffer_bytes = std::size_t{4} << 20, buffer_alignment = 8;
constexpr CUpti_ActivityKind kinds[] = {CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL, CUPTI_ACTIVITY_KIND_MEMCPY,
                                        CUPTI_ACTIVITY_KIND_MEMSET};

void CUPTIAPI give_buffer(uint8_t** buffer, size_t* size, size_t* most_records) {
  *buffer = static_cast<uint8_t*>(std::aligned_alloc(buffer_alignment, buffer_bytes));
  *size = buffer_bytes;
  *most_records = 0;  // as many as fit
}

void add(const char* name, uint64_t begin, uint64_t end) {
  Recorded& all = recorded();
  KernelTime& kernel = all.by_name[name];
  kernel.count += 1;
  kernel.seconds += 1e-9 * static_cast<double>(end - begin);
  all.spans.push_back({begin, end});
}

void CUPTIAPI take_buffer(CUcontext, uint32_t, uint8_t* buffer, size_t, size_t valid) {
  const std::lock_guard lock(recorded().mutex);
  CUpti_Activity* record = nullptr;
  while (valid > 0 && cupti().next(buffer, valid, &record) == CUPTI_SUCCESS) {
    if (record->kind == CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL) {
      const auto* kernel = reinterpret_cast<const CUpti_ActivityKernel10*>(record);
      add(kernel->name, kernel->start, kernel->end);
    } else if (record->kind == CUPTI_ACTIVITY_KIND_MEMCPY) {
      const auto* copy = reinterpret_cast<const CUpti_ActivityMemcpy6*>(record);
      add("memcpy", copy->start, copy->end);
    } else if (record->kind == CUPTI_ACTIVITY_KIND_MEMSET) {
      const auto* fill = reinterpret_cast<const CUpti_ActivityMemset4*>(record);
      add("memset", fill->start, fill->end);
    }
  }
  std::free(buffer);
}

void wait_for_device() {
  if (const cudaError_t error = cudaDeviceSynchronize(); error != cudaSuccess)
    throw std::runtime_error(std::string("the traced work failed: ") + cudaGetErrorString(error));
}

}  // namespace

void start_kernel_trace() {
  wait_for_device();  // what runs already is no part of it
  recorded().by_name.clear();
  recorded().spans.clear();
  check_cupti(cupti().register_callbacks(give_buffer, take_buffer));
  for (const CUpti_ActivityKind kind : kinds) check_cupti(cupti().enable(kind));
}

KernelTrace stop_kernel_trace() {
  wait_for_device();
  check_cupti(cupti().flush(CUPTI_ACTIVITY_FLAG_FLUSH_FORCED));
  for (const CUpti_ActivityKind kind : kinds) check_cupti(cupti().disable(kind));
  const std::lock_guard lock(recorded().mutex);
  std::map<std::string, KernelTime> by_short_name;
  for (const auto& [name, kernel] : recorded().by_name) {
    KernelTime& sum = by_short_name[short_kernel_name(name)];
    sum.count += kernel.count;
    sum.seconds += kernel.seconds;
  }
  KernelTrace trace;
  for (auto& [name, kernel] : by_short_name) trace.kernels.push_back({name, kernel.count, kernel.seconds});
  std::sort(trace.kernels.begin(), trace.kernels.end(),
            [](const KernelTime& a, const KernelTime& b) { return a.seconds > b.seconds; });
  trace.busy_seconds = 1e-9 * static_cast<double>(busy_nanoseconds(recorded().spans));
  return trace;
}

}  // namespace absorb
