// Run folders made of numbers instead of training, as the runner leaves them, for the tests of what reads folders.
#pragma once

#include <torch/types.h>

#include <cstring>

#include "core/safetensors.h"
#include "studies/folder/records/cell.h"
#include "studies/folder/records/provenance.h"
#include "tests/studies/synthetic.h"

namespace absorb::synthetic {

template <class V>
at::Tensor column(const std::vector<V>& values, at::ScalarType type) {
  at::Tensor out = at::empty({static_cast<int64_t>(values.size())}, type);
  std::memcpy(out.mutable_data_ptr(), values.data(), values.size() * sizeof(V));
  return out;
}

/// A finished run, in record.folder; `settings` as in settings.json.
inline void write_run(const RunRecord& record, const Json& settings) {
  std::filesystem::create_directories(record.folder);
  const auto write = [&record](const char* file, const Json& json) {
    write_file(record.folder / file, json.dump(2) + '\n');
  };
  write("settings.json", settings);
  ProvenanceRecord blank;
  write_record(record.folder / "cell.json", CellRecord{record.arm, record.cell, "synthetic"});
  Json provenance = write_record_fields(detail::list_of(blank));
  if (record.provenance.is_object()) provenance.update(record.provenance);
  write("run.json", provenance);
  write_record(record.folder / "result.json", static_cast<const ResultRecord&>(record));
  write_safetensors(record.folder / "documents.safetensors", {{"document", column(record.documents, at::kLong)},
                                                              {"loss_sum", column(record.document_losses, at::kDouble)},
                                                              {"tokens", column(record.document_tokens, at::kLong)}});
  write_file(record.folder / "DONE", "synthetic\n");
}

}  // namespace absorb::synthetic
