// LibTorch's autocast for a stretch of code: the arithmetic that training.precision = "bf16" is defined by.
#pragma once

#include <ATen/core/Tensor.h>

namespace absorb {

/// Operations below the guard run as autocast has them, products in bf16 and reductions in fp32; not `on`: as their
/// operands have them, whatever guard stands above.
class AutocastGuard {
 public:
  AutocastGuard(bool on, at::Device device);
  ~AutocastGuard();
  AutocastGuard(const AutocastGuard&) = delete;
  AutocastGuard& operator=(const AutocastGuard&) = delete;

 private:
  bool before_;
  at::DeviceType type_;
  at::ScalarType type_before_;
};

}  // namespace absorb
