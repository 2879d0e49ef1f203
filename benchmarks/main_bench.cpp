// Google Benchmark's main with two flags of our own: --threads=N (LibTorch's, default 1) and --steps=N (timed training
// steps of each step/ benchmark, default 20).
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <string_view>
#include <vector>

#include "core/device.h"

namespace absorb::bench {
void register_steps(int64_t steps);
}

namespace {

/// Takes `--name=N` out of the arguments; `fallback` when it isn't there.
int take_flag(std::vector<char*>& arguments, std::string_view name, int fallback) {
  for (auto argument = arguments.begin() + 1; argument < arguments.end(); ++argument) {
    const std::string_view text = *argument;
    if (!text.starts_with(name)) continue;
    const int value = std::atoi(text.substr(name.size()).data());
    arguments.erase(argument);
    return value;
  }
  return fallback;
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<char*> arguments(argv, argv + argc);
  const int threads = take_flag(arguments, "--threads=", 1), steps = take_flag(arguments, "--steps=", 20);
  absorb::configure_torch(threads, /*tf32=*/false);
  absorb::bench::register_steps(steps);
  benchmark::AddCustomContext("torch_threads", std::to_string(threads));
  int count = static_cast<int>(arguments.size());
  benchmark::Initialize(&count, arguments.data());
  if (benchmark::ReportUnrecognizedArguments(count, arguments.data())) return 2;
  benchmark::RunSpecifiedBenchmarks();
}
