// Checkpoints: a folder for each, written aside, checksummed and renamed; the two newest are kept.
//
//   checkpoints/step-00000200/{model.safetensors, optimiser.safetensors, checkpoint.json}
#pragma once

#include <limits>

#include "core/files.h"
#include "core/safetensors.h"
#include "tensors/parameters.h"

namespace absorb {

/// Every stored slice and state by its own name.
NamedTensors named_tensors(const Parameters& parameters);
/// Copies tensors by name into the parameters; UserError when one is missing or has another shape.
void load_tensors(const Parameters& parameters, const std::map<std::string, Tensor>& tensors, const Path& source);

struct Checkpoint {
  int64_t step = 0;
  std::map<std::string, Tensor> model, optimiser;
};

/// Writes checkpoints/step-<step> below `run`, then removes all but the two newest.
void write_checkpoint(const Path& run, int64_t step, const NamedTensors& model, const NamedTensors& optimiser);
/// The newest whole checkpoint below `run`, of step `newest` at the latest. A broken one, and one that is too late, is
/// named through `complain` and the one before it is used. step = 0 when there is none.
Checkpoint read_checkpoint(const Path& run, const std::function<void(const std::string&)>& complain,
                           int64_t newest = std::numeric_limits<int64_t>::max());
void remove_checkpoints(const Path& run);

}  // namespace absorb
