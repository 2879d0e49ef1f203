// cell.json and the metadata of weights.safetensors: which run of its study a folder holds.
#pragma once

#include "studies/folder/fields/record_fields.h"

namespace absorb {

struct CellRecord {
  std::string arm;
  std::map<std::string, std::string> cell;  // axis key -> value
  std::string identity;
};
void fields(RecordFields& list, CellRecord& cell);

struct WeightsMetadata {
  std::string arm, target, identity;
};
void fields(RecordFields& list, WeightsMetadata& weights);

}  // namespace absorb
