#include "studies/folder/records/files.h"

namespace absorb {
namespace {

namespace fs = std::filesystem;

// What comes and goes while others work in the folder, or is made anew from the rest.
bool is_kept(const std::string& name) {
  return name != "DONE" && name != "FAILED" && name != "files.json" && !name.starts_with("claim.") &&
         name.find(".tmp") == std::string::npos;
}

void add_files(const Path& run, const Path& folder, FilesRecord& record) {
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.is_regular_file() && is_kept(entry.path().filename().string()))
      record.files[entry.path().lexically_relative(run).generic_string()] = file_record(entry.path());
}

}  // namespace

void fields(RecordFields& list, FileRecord& file) {
  list.field("bytes", file.bytes, "Its size.");
  list.field("hash", file.hash, "xxh3-128 of its bytes, in hexadecimal digits.");
}

void fields(RecordFields& list, FilesRecord& files) {
  nested(list, "files", files.files, "Every file that stays, by its path in the run's folder.");
}

FileRecord file_record(const Path& file) {
  const MappedFile mapped(file);
  return {static_cast<int64_t>(mapped.bytes().size()), hash_hex(mapped.text())};
}

void write_files_record(const Path& run) {
  FilesRecord record;
  add_files(run, run, record);
  if (fs::is_directory(run / "deployments")) add_files(run, run / "deployments", record);
  write_record(run / "files.json", record);
}

}  // namespace absorb
