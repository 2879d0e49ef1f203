// A finished run as a Hugging Face folder.
#pragma once

#include "studies/plan/run_settings.h"
#include "studies/pretrained/families.h"

namespace absorb {

/// As what family, if any, transformers would know this model. UserError with what it has no form for.
Architecture exported_as(const RunSettings& run, int64_t vocabulary);
/// config.json of it: the inverse of architecture_of.
Json config_of(const Architecture& architecture);

struct ExportResult {
  std::string family;
  int64_t shards = 0;
  std::string tokeniser;  // its file, or why there is none
};
/// Writes `to`, a new folder: config.json, model.safetensors (shards with an index above `most_bytes` of tensors),
/// generation_config.json, and what the run's tokeniser is. One tensor is in memory at a time, besides the run's own.
ExportResult export_run(const Path& run, const Path& to, uint64_t most_bytes = uint64_t{4} << 30);

}  // namespace absorb
