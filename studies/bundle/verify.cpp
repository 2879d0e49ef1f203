#include "core/error.h"
#include "studies/bundle/bundle.h"
#include "studies/folder/paths.h"

namespace absorb {
namespace {

namespace fs = std::filesystem;

class FolderVerifier {
 public:
  FolderVerifier(const Path& folder, const PlanRecord& plan)
      : folder_(folder), plan_(plan), bundle_(bundle_of(folder)) {}

  Verified verify() {
    for (const PlannedRun& run : plan_.runs)
      if (is_done(folder_ / run.folder)) verify_run(run);
    return std::move(found_);
  }

 private:
  void verify_run(const PlannedRun& run) {
    ++found_.runs;
    if (read_file(folder_ / run.folder / "DONE") != run.identity + '\n')
      found_.wrong.push_back(run.folder + "/DONE: of another run than plan.json says");
    const Path record = folder_ / run.folder / "files.json";
    if (!fs::exists(record)) {
      ++found_.unrecorded;
      return;
    }
    const bool unpacked = bundle_ && bundle_->files.contains(run.folder + "/files.json");
    for (const auto& [name, file] : read_record<FilesRecord>(record).files)
      verify_file(run.folder + '/' + name, file, unpacked);
  }

  // A bundle may hold thinner metrics than the run wrote, and no weights.
  void verify_file(const std::string& name, FileRecord expected, bool unpacked) {
    if (unpacked && bundle_->files.contains(name)) {
      expected = bundle_->files.at(name);
    } else if (unpacked && !fs::exists(folder_ / name)) {
      ++found_.left_out;
      return;
    }
    ++found_.files;
    if (!fs::is_regular_file(folder_ / name)) {
      found_.wrong.push_back(name + ": missing");
      return;
    }
    const FileRecord now = file_record(folder_ / name);
    if (now.bytes != expected.bytes || now.hash != expected.hash) found_.wrong.push_back(name + ": another checksum");
  }

  const Path& folder_;
  const PlanRecord& plan_;
  std::optional<BundleRecord> bundle_;
  Verified found_;
};

}  // namespace

Verified verify_folder(const Path& folder, const PlanRecord& plan) {
  return FolderVerifier(folder, plan).verify();
}

}  // namespace absorb
