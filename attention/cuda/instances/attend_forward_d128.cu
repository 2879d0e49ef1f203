// The forward kernels of head size 128: a file of its own, so that nvcc's work is spread.
#include "attention/cuda/attend_forward.cuh"

namespace absorb::kernels::attend {

template void forward_of_width<128>(const AttendForward& call, void* stream);

}  // namespace absorb::kernels::attend
