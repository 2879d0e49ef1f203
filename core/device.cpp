#include "core/device.h"

#include <malloc.h>
#include <torch/types.h>

#include <ATen/Context.h>
#include <ATen/Parallel.h>

#include <fstream>
#include <limits>
#include <mutex>
#include <optional>
#include <utility>

#include "core/error.h"

namespace absorb {

at::Device find_device(std::string_view name) {
  require(name == "auto" || name == "cpu" || name == "cuda", "--device must be auto, cpu or cuda but got \"{}\"", name);
  const std::string reason = name == "cpu" ? "not asked for" : why_no_cuda();
  require(name != "cuda" || reason.empty(), "--device cuda can't be used: {}; use --device cpu", reason);
  return reason.empty() ? at::Device(at::kCUDA, 0) : at::Device(at::kCPU);
}

std::string driver_complaint(int driver, int toolkit) {
  // Minor versions are compatible in both directions, major ones are not.
  if (driver / 1000 >= toolkit / 1000) return "";
  if (driver == 0) return "no NVIDIA driver is loaded on this machine";
  const auto version = [](int number) { return fmt::format("{}.{}", number / 1000, number % 1000 / 10); };
  return fmt::format("the NVIDIA driver supports CUDA {} and this build needs {}: install a newer driver",
                     version(driver), version(toolkit));
}

std::string device_name(at::Device device) {
  if (device.is_cuda()) return gpu_name(device);
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);)
    if (line.rfind("model name", 0) == 0) return line.substr(line.find(':') + 2);
  return "unknown CPU";
}

void configure_torch(int threads, bool tf32) {
  // Threads that work on runs beside each other come here too, while others compute: what holds already isn't written.
  static std::mutex mutex;
  static std::optional<std::pair<int, bool>> applied;
  const std::lock_guard lock(mutex);
  if (!applied) {
    // A step frees and asks for the same large blocks again. By default glibc returns those to the system each time,
    // and their pages are zeroed anew: keep them.
    mallopt(M_MMAP_THRESHOLD, std::numeric_limits<int>::max());
    mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max());
    at::globalContext().setSDPUseCuDNN(false);  // wrong gradients on Hopper in 2.11
  }
  if (!applied || applied->first != threads || at::get_num_threads() != threads) at::set_num_threads(threads);
  if (!applied || applied->second != tf32) at::globalContext().setAllowTF32CuBLAS(tf32);
  applied = {threads, tf32};
}

void unavailable() {
  user_error("{}: install one and build again, or use --device cpu", why_no_cuda());
}

}  // namespace absorb
