// No data: of a model that was trained elsewhere.
#pragma once

#include "training/data/source.h"

namespace absorb {

struct ImportedSettings {
  int64_t vocabulary = 0;  // ids are below it
};
void fields(Fields& list, ImportedSettings& data);

void add_imported(DataSources& sources);

}  // namespace absorb
