// Numbers that change between the steps without a gradient: routers that are drawn anew every so many steps, and copies
// of them as they were some steps ago (routing.choose; docs/science.md section 4). They change in place and before the
// step, so that a captured step reads them where it did.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/safetensors.h"
#include "tensors/parameters.h"

namespace absorb {

class Following {
 public:
  /// `parameters` are gathered.
  explicit Following(const Parameters& parameters);
  /// Does what is due before step `step`, counted from 1. True where numbers changed.
  bool before(int64_t step);
  /// What the copies will become, for a checkpoint: "choice_history.<lag>", [kept, numbers]. Draws need none: they are
  /// a function of the step.
  NamedTensors state() const;
  /// Goes on from it. UserError where a history is missing or has another size.
  void load(const std::map<std::string, Tensor>& saved);

 private:
  struct Run {
    int64_t begin = 0, end = 0;  // of numbers in the flat buffer
  };
  struct Draw {
    Slice slice;
    Run to;
  };
  /// All copies of one lag. Weights are kept every `stride` steps, the last `kept` times.
  struct Lag {
    int64_t steps = 0, stride = 1, kept = 0;
    std::vector<Run> from, to;
    Tensor history;  // [kept, numbers]
  };
  bool draw(int64_t step);
  bool lag(Lag& copies, int64_t step) const;
  Tensor numbers(const std::vector<Run>& runs) const;
  Parameters parameters_;
  std::vector<Draw> draws_;
  std::map<int64_t, Lag> lags_;
};

}  // namespace absorb
