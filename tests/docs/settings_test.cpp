#include <gtest/gtest.h>

#include "studies/plan/reference.h"
#include "tests/docs/page.h"

namespace absorb {
namespace {

TEST(DocsSettings, PageIsWhatTheFieldListsSay) {
  const std::vector<std::string> wanted = docs::lines(settings_page());
  const std::vector<std::string> found = docs::lines(read_file(docs::repository() / "docs/settings.md"));
  const char* hint = "write it anew: build/release/absorb list settings --markdown > docs/settings.md";
  for (std::size_t i = 0; i < std::min(wanted.size(), found.size()); ++i)
    ASSERT_EQ(found[i], wanted[i]) << "docs/settings.md, line " << i + 1 << "; " << hint;
  EXPECT_EQ(found.size(), wanted.size()) << hint;
}

}  // namespace
}  // namespace absorb
