#include "compensation/measures/cells.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/compensation/folder.h"

namespace absorb {
namespace {

class CompensationCells : public testing::Test {
 protected:
  /// What a fresh Cells gives under `key`; counts what had to be made.
  Json get(const Json& key, const Json& made) {
    Cells cells(folder_.path());
    return cells.get(key, [&] {
      ++made_;
      return made;
    });
  }
  Folder folder_;
  int made_ = 0;
};

TEST_F(CompensationCells, AreMadeOnceAndKept) {
  const Json losses{0.1 + 0.2, -0.0, 1e-300};
  EXPECT_EQ(get({{"a", 1}}, losses), losses);
  EXPECT_EQ(get({{"a", 1}}, "another").dump(), losses.dump());
  EXPECT_EQ(made_, 1);
  EXPECT_EQ(get({{"a", 2}}, "another"), "another");
  EXPECT_EQ(made_, 2);
}

TEST_F(CompensationCells, WithoutAFolderAreKeptInMemory) {
  Cells cells{Path()};
  const auto make = [&] {
    ++made_;
    return Json(5);
  };
  EXPECT_FALSE(cells.has("key"));
  EXPECT_EQ(cells.get("key", make), 5);
  EXPECT_TRUE(cells.has("key"));
  EXPECT_EQ(cells.get("key", make), 5);
  EXPECT_EQ(made_, 1);
}

TEST_F(CompensationCells, NothingIsKeptOfWhatThrew) {
  Cells cells(folder_.path());
  EXPECT_THROW(cells.get("key", []() -> Json { throw std::runtime_error("killed"); }), std::runtime_error);
  EXPECT_FALSE(cells.has("key"));
  EXPECT_TRUE(std::filesystem::is_empty(folder_.path()));
}

TEST_F(CompensationCells, DamagedOrOfAnotherKeyAreMadeAgain) {
  get("key", 1);
  const Path file = std::filesystem::directory_iterator(folder_.path())->path();
  for (const char* text :
       {"{\"key\": \"key\", \"val", "{\"key\": \"other\", \"value\": 3}", "{\"key\": \"key\"}", "[]"}) {
    std::ofstream(file) << text;
    const int before = made_;
    EXPECT_EQ(get("key", 1), 1) << text;
    EXPECT_EQ(made_, before + 1) << text;
  }
}

}  // namespace
}  // namespace absorb
