// The synthetic task for attention.
#pragma once

#include "training/data/tasks/task.h"

namespace absorb {

struct RecallSettings {
  int64_t pairs = 16;        // keys, each shown once
  int64_t values = 4;        // of a key
  bool independent = false;  // answers are drawn without a look at the input: nothing can be learned
  int64_t sequences = 4096;  // held-out sequences, in valid and in test
};
void fields(Fields& list, RecallSettings& data);

/// Attention. `pairs` pair tokens show every key once in random order, each with a uniform value; then `pairs` query
/// tokens ask for every key once in random order, and the answer at a query is the value that its key was shown with.
/// T = 2 * pairs. Ids: key * values + value for pairs; pairs * values + key for queries; pairs * (values + 1) + value
/// for answers, which occur as targets alone. Guessing costs ln(values) nats.
std::shared_ptr<const Task> make_recall(const RecallSettings& data, uint64_t seed);

void add_recall(DataSources& sources);

}  // namespace absorb
