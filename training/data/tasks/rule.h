// The synthetic task for experts.
#pragma once

#include "training/data/tasks/task.h"

namespace absorb {

struct RuleSettings {
  int64_t values = 4;  // of an attribute
  int64_t classes = 8;
  int64_t attributes = 6;
  int64_t answers = 8;
  bool independent = false;  // answers are drawn without a look at the input: nothing can be learned
  int64_t sequences = 4096;  // held-out sequences, in valid and in test
};
void fields(Fields& list, RuleSettings& data);

/// Experts. A class token c, one token for each attribute i with its uniform value v_i, then "=", at which the answer
/// argmax_j sum_i T_c[i, v_i, j] is predicted; T is standard normal and belongs to the seed. T (time) = attributes + 2.
/// Ids: c for classes; classes + i * values + v for attributes (each attribute has ids of its own, or a sum over
/// positions couldn't tell whose value it saw); then "="; then the answers, which occur as targets alone.
std::shared_ptr<const Task> make_rule(const RuleSettings& data, uint64_t seed);

void add_rule(DataSources& sources);

}  // namespace absorb
