#include <gtest/gtest.h>

#include "studies/folder/reference.h"
#include "tests/docs/page.h"

namespace absorb {
namespace {

TEST(DocsFolder, PageIsWhatTheFieldListsSay) {
  const std::vector<std::string> wanted = docs::lines(folder_page());
  const std::vector<std::string> found = docs::lines(read_file(docs::repository() / "docs/folder.md"));
  const char* hint = "write it anew: build/release/absorb list folder --markdown > docs/folder.md";
  for (std::size_t i = 0; i < std::min(wanted.size(), found.size()); ++i)
    ASSERT_EQ(found[i], wanted[i]) << "docs/folder.md, line " << i + 1 << "; " << hint;
  EXPECT_EQ(found.size(), wanted.size()) << hint;
}

}  // namespace
}  // namespace absorb
