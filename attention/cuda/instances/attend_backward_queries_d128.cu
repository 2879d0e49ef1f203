// The backward's pass over queries for head size 128: a file of its own, so that nvcc's work is spread.
#include "attention/cuda/attend_backward_queries.cuh"

namespace absorb::kernels::attend {

template void query_pass<128>(const AttendBackward& call, void* stream);

}  // namespace absorb::kernels::attend
