// The question that every operation asks in one place: its kernel, or LibTorch's composition, which is its definition.
#pragma once

#include <string>

#include "tensors/pass.h"

namespace absorb {

/// One line on the error stream the first time that `what` (an operation and why) is computed by LibTorch's composition
/// in a run that asked for kernels.
void say_composed(const std::string& what);

/// Whether an operation runs its kernel in this pass: where the pass runs kernels and why_not() is empty. Where it
/// isn't, that is said once. why_not() is asked only in a pass that runs kernels.
template <class WhyNot>
bool runs_kernel(const Pass& pass, const WhyNot& why_not) {
  if (pass.kernels() == nullptr) return false;
  const std::string reason = why_not();
  if (!reason.empty()) say_composed(reason);
  return reason.empty();
}
/// The same of an operation whose kernel takes all there is.
inline bool runs_kernel(const Pass& pass) {
  return pass.kernels() != nullptr;
}

}  // namespace absorb
