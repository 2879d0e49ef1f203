// Stands in for attention/cuda/ in a build without a CUDA compiler.
#include "attention/cuda/attend.cuh"
#include "core/device.h"
#include "core/error.h"

namespace absorb::kernels {
namespace {

[[noreturn]] void no_kernels() {
  user_error("{}: install one and build again, or use --device cpu", why_no_cuda());
}

}  // namespace

bool attend_has_kernel(int64_t, int64_t) {
  return false;
}
int64_t attend_stay_words(const AttendShape&) {
  no_kernels();
}
void attend_forward(const AttendForward&, void*) {
  no_kernels();
}
void attend_backward(const AttendBackward&, void*) {
  no_kernels();
}

}  // namespace absorb::kernels
