// The conformance kit: measures every claim that a router, selection or routing loss makes in its Traits, and every
// promise that its interface makes for it, on small random inputs. The checks are generated from the registries, so
// that a type that somebody adds is covered without a line of its own. Types are asked directly, without a model around
// them.
#pragma once

#include <string>
#include <vector>

#include "router/route.h"

namespace absorb {

/// One line: what was checked of which type, in which role, and what came out. It passed when measured <= bound; NaN
/// and anything thrown fail. A count has bound 0.
struct Check {
  std::string type, kind;  // kind: router, selection or loss
  std::string role;        // attention or moe; empty where a check concerns neither
  std::string name;
  double measured = 0, bound = 0;
  bool passed = false;
  std::string note;  // what was measured; for a failure also where, or the message
};

/// Runs every check that applies to the named types (empty: all). Everything is measured on a CPU, gradients in double;
/// a CUDA `device` adds the agreement of both. UserError that lists the known names for an unknown one.
std::vector<Check> conform(const Registries& registries, const std::vector<std::string>& names, at::Device device);

/// The names in all three registries, sorted, each once.
std::vector<std::string> conformable(const Registries& registries);
/// UserError, with the known names, unless one of the registries has `name`.
void require_conformable(const Registries& registries, const std::string& name);

/// "moe  gradient to input  2.1e-11 <= 1e-06  ok  ...": one line without its end.
std::string to_string(const Check& check);

}  // namespace absorb
