#include "tensors/autocast.h"

#include <torch/types.h>

#include <ATen/autocast_mode.h>

namespace absorb {

AutocastGuard::AutocastGuard(bool on, at::Device device)
    : before_(at::autocast::is_autocast_enabled(device.type())),
      type_(device.type()),
      type_before_(at::autocast::get_autocast_dtype(device.type())) {
  at::autocast::set_autocast_enabled(type_, on);
  if (on) at::autocast::set_autocast_dtype(type_, at::kBFloat16);
  // Cached casts of parameters would outlive the step that changes them, and runs of one process share one cache: what
  // one of them clears would change where another's gradients are added up in bf16.
  at::autocast::set_autocast_cache_enabled(false);
}

AutocastGuard::~AutocastGuard() {
  at::autocast::set_autocast_enabled(type_, before_);
  at::autocast::set_autocast_dtype(type_, type_before_);
}

}  // namespace absorb
