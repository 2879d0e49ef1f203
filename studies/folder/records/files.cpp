#include "studies/folder/records/files.h"

#include <sys/stat.h>

#include "core/error.h"
#include "studies/folder/records/bundle.h"

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

int64_t changed_at(const Path& file) {
  struct stat status {};
  if (::stat(file.c_str(), &status) != 0) return 0;
  return static_cast<int64_t>(status.st_mtim.tv_sec) * 1'000'000'000 + status.st_mtim.tv_nsec;
}

bool is_as_written(const Path& path, const FileRecord& expected, bool size_alone) {
  std::error_code error;
  if (!fs::is_regular_file(path, error)) return false;
  if (static_cast<int64_t>(fs::file_size(path, error)) != expected.bytes || error) return false;
  if (size_alone || (expected.at && *expected.at == changed_at(path))) return true;
  return hash_hex(MappedFile(path).text()) == expected.hash;
}

// What a bundle that the run came from says of it, with the study's folder.
struct Above : BundleRecord {
  Path folder;
};
std::optional<Above> bundle_above(const Path& run) {
  const Path study = fs::absolute(run).lexically_normal().parent_path().parent_path();
  const auto bundle = bundle_of(study);
  if (!bundle) return std::nullopt;
  Above above{*bundle, study};
  return above;
}

}  // namespace

void fields(RecordFields& list, FileRecord& file) {
  list.field("bytes", file.bytes, "Its size.");
  list.field("hash", file.hash, "xxh3-128 of its bytes, in hexadecimal digits.");
  list.field("at", file.at,
             About("Nanoseconds since 1970 of its last change: as long as it stays, the checksum isn't looked at.")
                 .optional());
}

void fields(RecordFields& list, FilesRecord& files) {
  nested(list, "files", files.files, "Every file that stays, by its path in the run's folder.");
}

FileRecord file_record(const Path& file) {
  const int64_t at = changed_at(file);  // before its bytes are read: a later change moves it
  const MappedFile mapped(file);
  return {static_cast<int64_t>(mapped.bytes().size()), hash_hex(mapped.text()), at};
}

void write_files_record(const Path& run) {
  FilesRecord record;
  add_files(run, run, record);
  if (fs::is_directory(run / "deployments")) add_files(run, run / "deployments", record);
  write_record(run / "files.json", record);
}

void forget_files(const Path& run, const std::vector<std::string>& names) {
  if (!fs::exists(run / "files.json")) return;
  auto record = read_record<FilesRecord>(run / "files.json");
  for (const std::string& name : names) record.files.erase(name);
  write_record(run / "files.json", record);
}

void require_intact(const Path& run, Intact what) {
  if (!fs::exists(run / "files.json")) return;
  const auto bundle = bundle_above(run);
  for (const auto& [name, file] : read_record<FilesRecord>(run / "files.json").files) {
    const Path path = run / name;
    const FileRecord* expected = &file;
    if (bundle) {
      const auto packed =
          bundle->files.find(fs::absolute(path).lexically_normal().lexically_relative(bundle->folder).generic_string());
      if (packed != bundle->files.end())
        expected = &packed->second;
      else if (!fs::exists(path))
        continue;
    }
    // A deployment whose file is gone is simply one that is still to be made.
    if (name.starts_with("deployments/") && !fs::exists(path)) continue;
    const bool weights = name.starts_with("weights");
    if (!is_as_written(path, *expected, weights && what == Intact::records))
      user_error(
          "{} is not what its run wrote: it is missing, or was changed or damaged; take it from a copy, or remove the "
          "run's folder and train it again",
          path.string());
  }
}

}  // namespace absorb
