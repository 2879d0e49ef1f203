// bundle.json: the first entry of a packed study, and what its folder was made from once it is unpacked.
#pragma once

#include "studies/folder/records/files.h"

namespace absorb {

struct BundleRecord {
  std::string study;
  bool weights = false;
  int64_t every = 1;  // steps between lines of metrics; 1: all
  std::map<std::string, FileRecord> files;
};
void fields(RecordFields& list, BundleRecord& bundle);

/// bundle.json of an unpacked folder, or none.
std::optional<BundleRecord> bundle_of(const Path& folder);

}  // namespace absorb
