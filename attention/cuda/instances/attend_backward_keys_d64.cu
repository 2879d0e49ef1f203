// The backward's pass over keys for head size 64: a file of its own, so that nvcc's work is spread.
#include "attention/cuda/attend_backward_keys.cuh"

namespace absorb::kernels::attend {

template void key_pass<64>(const AttendBackward& call, void* stream);

}  // namespace absorb::kernels::attend
