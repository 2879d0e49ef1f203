// Stands in for attention/cuda/ in a build without a CUDA compiler.
#include "attention/cuda/attend.cuh"
#include "core/device.h"

namespace absorb::kernels {
bool attend_has_kernel(int64_t, int64_t) {
  return false;
}
int64_t attend_stay_words(const AttendShape&) {
  unavailable();
}
void attend_forward(const AttendForward&, void*) {
  unavailable();
}
void attend_backward(const AttendBackward&, void*) {
  unavailable();
}

}  // namespace absorb::kernels
