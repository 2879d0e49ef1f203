// What every data set needs to fill a batch: rows of tokens and targets, and a random stream for each row.
#pragma once

#include <torch/types.h>

#include "core/error.h"
#include "core/random.h"
#include "training/batch.h"

namespace absorb {

/// A batch under construction: tokens 0, targets -1 until written.
class Rows {
 public:
  Rows(int64_t size, int64_t context)
      : context_(context), batch_{at::zeros({size, context}, at::kLong), at::full({size, context}, -1, at::kLong)} {}
  int64_t* tokens(int64_t row) { return batch_.tokens.mutable_data_ptr<int64_t>() + row * context_; }
  int64_t* targets(int64_t row) { return batch_.targets.mutable_data_ptr<int64_t>() + row * context_; }
  const Batch& batch() const { return batch_; }

 private:
  int64_t context_;
  Batch batch_;
};

/// Numbers for one row of one step of a stream; micro-batches ask for the same rows under the same numbers.
inline Random row_random(uint64_t key, int64_t step, int64_t row) {
  check(step >= 0 && row >= 0 && row < 1 << 20, "row {} of step {}", row, step);
  return Random(key, static_cast<uint64_t>(step) << 20 | static_cast<uint64_t>(row));
}

}  // namespace absorb
