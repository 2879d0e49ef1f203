// What each command prints stands in tests/golden/expected. scripts/golden writes those files anew, and this runs it
// into another folder and compares. Its label is `study`: it trains small runs.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <set>

#include "core/files.h"

namespace absorb {
namespace {

std::set<std::string> names_in(const Path& folder) {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) names.insert(entry.path().filename().string());
  return names;
}

/// The first line in which two texts differ, of both.
std::string first_difference(const std::string& a, const std::string& b) {
  const auto [at, other] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  const auto line = [](const std::string& text, std::size_t place) {
    const std::size_t before = text.rfind('\n', place == 0 ? 0 : place - 1);
    const std::size_t begin = before == std::string::npos ? 0 : before + 1;
    return text.substr(begin, text.find('\n', begin) - begin);
  };
  const auto place = static_cast<std::size_t>(at - a.begin());
  return "expected: " + line(a, place) + "\nprinted:  " + line(b, place);
}

TEST(StudyGolden, CommandsPrintWhatTheyPrinted) {
  std::string folder = (std::filesystem::temp_directory_path() / "absorb-golden-XXXXXX").string();
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  const Path source = ABSORB_SOURCE_DIR, expected = source / "tests/golden/expected", printed = Path(folder) / "out";
  const std::string command = (source / "scripts/golden").string() + " --command " ABSORB_COMMAND " --out " +
                              printed.string() + " >" + folder + "/log 2>&1";
  ASSERT_EQ(std::system(command.c_str()), 0) << read_file(Path(folder) / "log");
  EXPECT_EQ(names_in(printed), names_in(expected));
  for (const std::string& name : names_in(expected)) {
    const std::string was = read_file(expected / name);
    const std::string is = std::filesystem::exists(printed / name) ? read_file(printed / name) : "";
    EXPECT_TRUE(was == is) << name << " (scripts/golden writes it anew)\n" << first_difference(was, is);
  }
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace absorb
