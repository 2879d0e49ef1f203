// Which checks of absorb conform fail.
#pragma once

#include <gtest/gtest.h>
#include <torch/types.h>

#include <set>
#include <string>
#include <vector>

#include "router/conformance/conformance.h"

namespace absorb {

using Failures = std::set<std::string>;  // "role name"

inline Failures failures(const Registries& registries, const std::vector<std::string>& names) {
  Failures out;
  const std::vector<Check> checks = conform(registries, names, at::kCPU);
  EXPECT_FALSE(checks.empty());
  for (const Check& check : checks)
    if (!check.passed) out.insert(check.role + ' ' + check.name);
  return out;
}

}  // namespace absorb
