// docs/new-router.md and docs/extending.md promise that a type is one header, one source and one line. This takes their
// blocks, lays them over the repository, compiles them with the flags that these tests were compiled with, and runs the
// tests that they show. (plugin_test.cpp builds the same blocks as plug-ins.)
#include <gtest/gtest.h>

#include "tests/docs/overlay.h"

namespace absorb {
namespace {

TEST(DocsNewRouter, PageBuildsAndItsTestPasses) {
  const docs::Folder folder;
  ASSERT_EQ(docs::overlay(docs::repository() / "docs/new-router.md", folder),
            std::set<std::string>({"router/builtin.cpp", "router/routers/gaussian.h", "router/routers/gaussian.cpp",
                                   "tests/router/gaussian_test.cpp", "plugin.cpp", "CMakeLists.txt"}));
  docs::expect_tests_pass(folder,
                          "#include \"router/routers/gaussian.cpp\"\n#include \"router/builtin.cpp\"\n"
                          "#include \"tests/router/gaussian_test.cpp\"\n",
                          5);
}

TEST(DocsExtending, PageBuildsAndItsTestPasses) {
  const docs::Folder folder;
  const std::set<std::string> names = docs::overlay(docs::repository() / "docs/extending.md", folder);
  std::string whole;
  for (const std::string& name : names)
    if (name.ends_with(".cpp") && name != "plugin.cpp") whole += "#include \"" + name + "\"\n";
  EXPECT_EQ(names.size(), 17U) << whole;
  docs::expect_tests_pass(folder, whole, 4);
}

}  // namespace
}  // namespace absorb
