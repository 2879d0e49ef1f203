// run.json: where a run's numbers came from: what ran, on what, built from what, for how long.
#pragma once

#include "core/numbers.h"
#include "studies/folder/fields/record_fields.h"

namespace absorb {

struct ProvenanceRecord {
  std::vector<std::string> argv;
  std::string version, commit;
  bool dirty = false;
  std::string binary_hash, libtorch, driver, device, cpu;
  int64_t threads = 1;
  std::string host, started, finished;
  std::map<std::string, std::string> plugins;  // by file name; their hashes
  std::map<std::string, std::string> data;     // describe, hash
  double seconds = nan;                        // of training, over all sittings
  std::optional<int64_t> tokens;               // trained on, over all sittings
  std::string kernels;                         // "fused", "composition"
  std::optional<int64_t> peak_gpu_bytes, runs_at_once;
};
void fields(RecordFields& list, ProvenanceRecord& provenance);

}  // namespace absorb
