// A folder for a while, below the machine's own for such.
#pragma once

#include "core/error.h"
#include "core/files.h"

namespace absorb {

/// Gone when its owner is.
class ScratchFolder {
 public:
  /// UserError where none can be made.
  explicit ScratchFolder(const std::string& name)
      : path_(std::filesystem::temp_directory_path() / fmt::format("absorb-{}-{}", name, random_name())) {
    make_folder(path_);
  }
  ~ScratchFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  const Path& path() const { return path_; }

 private:
  Path path_;
};

}  // namespace absorb
