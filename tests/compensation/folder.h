#pragma once

#include <gtest/gtest.h>

#include <filesystem>

#include "core/files.h"

namespace absorb {

/// A folder of one test alone, removed with it.
class Folder {
 public:
  Folder() : path_(Path(testing::TempDir()) / name()) {
    std::filesystem::remove_all(path_);
    std::filesystem::create_directories(path_);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  const Path& path() const { return path_; }

 private:
  static std::string name() {
    const testing::TestInfo& test = *testing::UnitTest::GetInstance()->current_test_info();
    return std::string(test.test_suite_name()) + "." + test.name();
  }
  Path path_;
};

}  // namespace absorb
