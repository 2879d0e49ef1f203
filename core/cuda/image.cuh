// Whether this build holds machine code, or PTX, that the current GPU runs.
#pragma once

namespace absorb::kernels {

bool has_code_for_this_gpu();

}  // namespace absorb::kernels
