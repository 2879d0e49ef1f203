// absorb pack, unpack and verify: a study's folder as one file, and whether it is still what was written.
#include "studies/bundle/bundle.h"

#include <iostream>

#include "core/error.h"
#include "studies/command/commands.h"
#include "studies/command/rerun.h"
#include "studies/command/summary.h"

namespace absorb {
namespace {

std::string counted(int64_t count, const std::string& what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

void say_what_is_wrong(const Path& where, const std::vector<std::string>& wrong) {
  constexpr std::size_t most = 3;
  if (wrong.empty()) return;
  std::vector<std::string> shown(wrong.begin(),
                                 wrong.begin() + static_cast<std::ptrdiff_t>(std::min(most, wrong.size())));
  if (wrong.size() > most) shown.push_back(fmt::format("and {} more", wrong.size() - most));
  user_error("{}: {} not as written: {}", where.string(), wrong.size() == 1 ? "a file is" : "files are",
             join(shown, "; "));
}

}  // namespace

int pack_command(const PackCommandOptions& options) {
  const BundleRecord packed =
      pack(options.folder, planned_in(options.folder), options.out, {options.weights, options.every});
  std::cout << fmt::format(
      "{}: {}, {:.1f} MB{}\n", options.out.string(), counted(static_cast<int64_t>(packed.files.size()), "file"),
      static_cast<double>(std::filesystem::file_size(options.out)) / 1e6, options.weights ? "" : ", without weights");
  return exit_done;
}

int unpack_command(const Path& bundle, const Path& folder) {
  const BundleRecord unpacked = unpack(bundle, folder);
  std::cout << fmt::format("{}: {} of study {}{}\n", folder.string(),
                           counted(static_cast<int64_t>(unpacked.files.size()), "file"), unpacked.study,
                           unpacked.weights ? "" : ", without weights");
  return exit_done;
}

int verify_command(const VerifyOptions& options) {
  require(std::filesystem::exists(options.what), "{}: there is no such file or folder", options.what.string());
  const bool bundle = std::filesystem::is_regular_file(options.what);
  if (!options.rerun.empty()) {
    require(!bundle, "--rerun takes a study's folder: `absorb unpack` makes one of {}", options.what.string());
    return rerun(options);
  }
  const Verified found = bundle ? verify_bundle(options.what) : verify_folder(options.what, planned_in(options.what));
  say_what_is_wrong(options.what, found.wrong);
  std::cout << fmt::format("{}: {} of {} are as written", options.what.string(), counted(found.files, "file"),
                           counted(found.runs, "finished run"));
  if (found.left_out > 0)
    std::cout << fmt::format("; {} left out of the bundle that it came from", counted(found.left_out, "file"));
  if (found.unrecorded > 0)
    std::cout << fmt::format("; {} of format 0, without checksums", counted(found.unrecorded, "run"));
  std::cout << '\n';
  return exit_done;
}

}  // namespace absorb
