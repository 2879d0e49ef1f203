// The synthetic task in which any fixed routing helps and no content can.
#pragma once

#include "training/data/tasks/task.h"

namespace absorb {

struct CodesSettings {
  int64_t positions = 64;
  int64_t values = 4;
  std::string asked = "each";
  bool independent = false;  // answers are drawn without a look at the input: nothing can be learned
  int64_t sequences = 4096;  // held-out sequences, in valid and in test
};
void fields(Fields& list, CodesSettings& data);

/// Every position has a code of its own, a permutation of the `values` symbols that belongs to the seed, and a symbol
/// doesn't tell whose code it is in. Asked "each", for experts: position p shows a uniform symbol and is asked what it
/// means; T = positions. Any fixed share-out of positions among experts leaves each a few codes to hold. Asked "last",
/// for attention: all positions show one uniform answer, each in its code, then "=" asks for it; T = positions + 1. Any
/// fixed key will do, and its code alone has to be known. Ids: symbols; "=", where there is one; the answers, which
/// occur as targets alone. Guessing costs ln(values) nats.
std::shared_ptr<const Task> make_codes(const CodesSettings& data, uint64_t seed);

void add_codes(DataSources& sources);

}  // namespace absorb
