// absorb conform, as its user runs it.
#include <algorithm>

#include "tests/studies/command/command_fixture.h"

namespace absorb {
namespace {

using ConformCommand = testing::CommandTest;

TEST_F(ConformCommand, PrintsALineACheckAndASummary) {
  const testing::Result result = run({"conform", "constant", "soft", "--device", "cpu"});
  EXPECT_EQ(result.status, 0) << result.out << result.err;
  EXPECT_NE(result.out.find("router constant\n"), std::string::npos) << result.out;
  EXPECT_NE(result.out.find("selection soft\n"), std::string::npos) << result.out;
  EXPECT_NE(result.out.find("  attention  future "), std::string::npos) << result.out;
  EXPECT_NE(result.out.find("\n2 types, "), std::string::npos) << result.out;
  EXPECT_NE(result.out.find(" checks, 0 failed, "), std::string::npos) << result.out;
  EXPECT_EQ(result.out.find("router bilinear"), std::string::npos) << result.out;
}

TEST_F(ConformCommand, RefusesAnUnknownNameBeforeItsFirstLine) {
  const testing::Result result = run({"conform", "soft", "bilinaer"});
  EXPECT_EQ(result.status, 2);
  EXPECT_TRUE(result.out.empty()) << result.out;
  EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
  EXPECT_NE(result.err.find("did you mean \"bilinear\"?"), std::string::npos) << result.err;
}

}  // namespace
}  // namespace absorb
