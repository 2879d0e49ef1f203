// absorb conform: what routers, selections and losses claim of themselves, measured.
#include <chrono>
#include <iostream>
#include <set>

#include "core/device.h"
#include "core/error.h"
#include "router/conformance/conformance.h"
#include "studies/command/commands.h"

namespace absorb {

int conform_command(const ConformOptions& options) {
  const at::Device device = find_device(options.device);
  configure_torch(/*threads=*/1, /*tf32=*/false);
  const auto start = std::chrono::steady_clock::now();
  const std::vector<std::string> all = conformable(registries());
  const std::set<std::string> names =
      options.names.empty() ? std::set(all.begin(), all.end()) : std::set(options.names.begin(), options.names.end());
  for (const std::string& name : names) require_conformable(registries(), name);  // before the first line
  int64_t checks = 0, failed = 0;
  for (const std::string& name : names) {
    std::string heading;
    for (const Check& check : conform(registries(), {name}, device)) {
      if (const std::string now = fmt::format("{} {}", check.kind, check.type); now != heading)
        std::cout << (heading = now) << '\n';
      std::cout << "  " << to_string(check) << '\n';
      ++checks;
      failed += check.passed ? 0 : 1;
    }
    std::cout << std::endl;
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  std::cout << fmt::format("{} types, {} checks, {} failed, {:.0f} s\n", names.size(), checks, failed, took.count());
  return failed == 0 ? exit_done : exit_ours;
}

}  // namespace absorb
