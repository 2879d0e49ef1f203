// files.json: a checksum of every file of a finished run, held against them whenever the run is read.
#pragma once

#include <optional>

#include "studies/folder/fields/record_fields.h"

namespace absorb {

struct FileRecord {
  int64_t bytes = 0;
  std::string hash;           // xxh3-128
  std::optional<int64_t> at;  // nanoseconds since 1970 of its last change; none in folders of before
};
void fields(RecordFields& list, FileRecord& file);

struct FilesRecord {
  std::map<std::string, FileRecord> files;  // by path, relative to the run's folder
};
void fields(RecordFields& list, FilesRecord& files);

FileRecord file_record(const Path& file);
/// Writes <run>/files.json over what a finished run keeps: its records, metrics, tensors and deployments.
void write_files_record(const Path& run);
/// Takes files out of <run>/files.json, by their path in the run's folder, before they are written anew: a process that
/// dies in between leaves a file without a checksum rather than one with a wrong one.
void forget_files(const Path& run, const std::vector<std::string>& names);

/// records: all but the weights, whose size alone is looked at.
enum class Intact { records, all };
/// UserError with the first file of a finished run that isn't what the run wrote: missing, of another size, or, where
/// its time moved, with another checksum. What a bundle left out may be missing. Folders of before files.json are taken
/// as they are.
void require_intact(const Path& run, Intact what);

}  // namespace absorb
