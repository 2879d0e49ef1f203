#include "studies/folder/records/bundle.h"

namespace absorb {

void fields(RecordFields& list, BundleRecord& bundle) {
  list.field("study", bundle.study, "Name of the study's folder.");
  list.field("weights", bundle.weights, "Whether weights were packed.");
  list.field("every", bundle.every, "Steps between lines of metrics; 1: all of them.");
  nested(list, "files", bundle.files, "Every other file, by its path in the study's folder.");
}

std::optional<BundleRecord> bundle_of(const Path& folder) {
  if (!std::filesystem::exists(folder / "bundle.json")) return std::nullopt;
  return read_record<BundleRecord>(folder / "bundle.json");
}

}  // namespace absorb
