#include "studies/report/data/derived.h"

#include <cmath>

#include "studies/analysis/groups.h"

namespace absorb {

const std::vector<DerivedNumber>& derived_numbers() {
  static const std::vector<DerivedNumber> numbers = {
      {"ppl", "val_loss", [](const RunRecord& run) { return std::exp(run.val_loss); }},
      {"swap_cost", "test_loss", [](const RunRecord& run) { return deployment_cost(run, "swap"); }},
      {"tokens_per_sec", "flops_per_token", [](const RunRecord& run) { return run.tokens_per_sec; }},
      {"seconds", "tokens_per_sec", [](const RunRecord& run) { return run.seconds; }},
  };
  return numbers;
}

}  // namespace absorb
