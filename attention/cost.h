// What one layer of attention costs, without its routing (tensors/cost.h).
#pragma once

#include "attention/attention.h"
#include "tensors/cost.h"

namespace absorb {

struct AttentionCost {
  Cost qkv, attend, out;
  Cost whole() const { return qkv + attend + out; }
};
AttentionCost attention_cost(const AttentionSettings& settings, const AttentionShape& shape);

}  // namespace absorb
