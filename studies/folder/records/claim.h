// claim.json: which worker holds a run, and how far it is.
#pragma once

#include "core/numbers.h"
#include "studies/folder/fields/record_fields.h"

namespace absorb {

struct ClaimProgress {
  int64_t step = 0, steps = 0;
  double loss = nan;
  double tokens_per_sec = 0, seconds_left = 0;
  std::string line = {};  // in place of these numbers, where something else than training goes on
};
void fields(RecordFields& list, ClaimProgress& progress);

struct ClaimRecord {
  std::string host;
  int64_t pid = 0, heartbeat = 0;  // seconds since 1970
  ClaimProgress progress;
};
void fields(RecordFields& list, ClaimRecord& claim);

}  // namespace absorb
