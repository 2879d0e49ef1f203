// files.json: a checksum of every file of a finished run, for `absorb verify`.
#pragma once

#include "studies/folder/fields/record_fields.h"

namespace absorb {

struct FileRecord {
  int64_t bytes = 0;
  std::string hash;  // xxh3-128
};
void fields(RecordFields& list, FileRecord& file);

struct FilesRecord {
  std::map<std::string, FileRecord> files;  // by path, relative to the run's folder
};
void fields(RecordFields& list, FilesRecord& files);

FileRecord file_record(const Path& file);
/// Writes <run>/files.json over what a finished run keeps: its records, metrics, tensors and deployments.
void write_files_record(const Path& run);

}  // namespace absorb
