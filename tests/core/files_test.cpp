#include "core/files.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <thread>
#include <vector>

#include "core/error.h"

namespace absorb {
namespace {

class CoreFiles : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / ("absorb-files-" + std::to_string(getpid()));
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::size_t files() const {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder_), {}));
  }
  Path folder_;
};

TEST_F(CoreFiles, WrittenFilesReadBackWhole) {
  std::string content(300'000, 'x');
  content[0] = '\0';
  write_file(folder_ / "a", content);
  EXPECT_EQ(read_file(folder_ / "a"), content);
  write_file(folder_ / "a", "short");
  EXPECT_EQ(read_file(folder_ / "a"), "short");
  EXPECT_EQ(files(), 1u);  // nothing is left aside
}

TEST_F(CoreFiles, AFailingWriterLeavesTheOldFile) {
  write_file(folder_ / "a", "old");
  const auto fill = [&](int descriptor) {
    write_bytes(descriptor, "half", folder_ / "a");
    user_error("stop");
  };
  EXPECT_THROW(write_file(folder_ / "a", fill), UserError);
  EXPECT_EQ(read_file(folder_ / "a"), "old");
  EXPECT_EQ(files(), 1u);
}

TEST_F(CoreFiles, RacingWritersLeaveOneWholeFile) {
  std::vector<std::thread> threads;
  for (char letter : {'a', 'b', 'c', 'd'})
    threads.emplace_back([this, letter] {
      for (int i = 0; i < 10; ++i) write_file(folder_ / "a", std::string(100'000, letter));
    });
  for (auto& thread : threads) thread.join();
  const std::string content = read_file(folder_ / "a");
  EXPECT_EQ(content, std::string(100'000, content[0]));
  EXPECT_EQ(files(), 1u);
}

TEST_F(CoreFiles, MessagesNameThePath) {
  try {
    read_file(folder_ / "absent");
    FAIL();
  } catch (const UserError& error) {
    EXPECT_NE(std::string(error.what()).find("absent: No such file"), std::string::npos) << error.what();
  }
  EXPECT_THROW(read_file(folder_), UserError);
  EXPECT_THROW(MappedFile(folder_ / "absent"), UserError);
  EXPECT_THROW(MappedFile{folder_}, UserError);
  EXPECT_THROW(write_file(folder_ / "absent" / "a", "x"), UserError);
}

TEST_F(CoreFiles, FoldersAreMadeAndTried) {
  require_writable(folder_ / "x" / "y");
  EXPECT_TRUE(std::filesystem::is_directory(folder_ / "x" / "y"));
  EXPECT_TRUE(std::filesystem::is_empty(folder_ / "x" / "y"));
  write_file(folder_ / "file", "");
  EXPECT_THROW(require_writable(folder_ / "file"), UserError);
  EXPECT_THROW(require_writable(folder_ / "file" / "below"), UserError);
  EXPECT_THROW(require_writable("/proc/absorb"), UserError);
}

TEST_F(CoreFiles, MapsShowTheFile) {
  write_file(folder_ / "a", "some text");
  MappedFile map(folder_ / "a");
  EXPECT_EQ(map.text(), "some text");
  const MappedFile moved(std::move(map));
  EXPECT_EQ(moved.text(), "some text");
  EXPECT_EQ(moved.bytes().size(), 9u);
  write_file(folder_ / "empty", "");
  EXPECT_TRUE(MappedFile(folder_ / "empty").text().empty());
}

TEST_F(CoreFiles, FreeSpaceIsKnownForWhatDoesNotExistYet) {
  EXPECT_GT(free_bytes(folder_ / "not" / "there"), 0u);
  EXPECT_EQ(free_bytes("/proc/absorb/not/there"), 0u);
}

TEST(CoreHash, IsXxh3) {
  // The empty input's published values (xxHash's XXH3 with seed 0).
  EXPECT_EQ(hash64(""), 0x2d06800538d394c2u);
  EXPECT_EQ(hash_hex(""), "99aa06d3014798d86001c324468d497f");
  EXPECT_NE(hash_hex("a"), hash_hex("b"));
}

}  // namespace
}  // namespace absorb
