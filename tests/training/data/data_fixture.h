// A folder that goes away with the test, and the one line that a user error says.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>
#include <zlib.h>

#include <string>
#include <vector>

#include "core/error.h"
#include "core/files.h"
#include "training/data/source.h"

namespace absorb {

class DataFixture : public testing::Test {
 protected:
  void SetUp() override {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    folder_ = std::filesystem::temp_directory_path() /
              ("absorb-" + std::string(test->name()) + "-" + std::to_string(getpid()));
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  /// Writes a file and returns its path.
  std::string put(const std::string& name, std::string_view content) const {
    write_file(folder_ / name, content);
    return (folder_ / name).string();
  }

  std::string put_packed(const std::string& name, const std::string& content) const {
    const std::string path = (folder_ / name).string();
    gzFile file = gzopen(path.c_str(), "wb");
    gzwrite(file, content.data(), static_cast<unsigned>(content.size()));
    gzclose(file);
    return path;
  }

  /// Ids as they lie in a token file.
  template <class Id>
  std::string put_ids(const std::string& name, const std::vector<Id>& ids) const {
    return put(name, {reinterpret_cast<const char*>(ids.data()), ids.size() * sizeof(Id)});
  }

  Path folder_;
};

/// What `action` throws as a UserError; "" if it doesn't. It must be one line.
template <class Action>
std::string complaint(const Action& action) {
  try {
    action();
  } catch (const UserError& error) {
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << error.what();
    return error.what();
  }
  return "";
}

/// The [data] table of a type and its settings.
template <class S>
DataSettings data_of(const std::string& type, const S& settings) {
  Json table = write_settings(settings);
  table["type"] = type;
  return read_data(Settings::from_json(std::move(table), "test"));
}

inline bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace absorb
