#include "core/device.h"

#include <gtest/gtest.h>

namespace absorb {
namespace {

TEST(CoreDevice, NamesBothVersionsOfADriverThatIsTooOld) {
  const std::string complaint = driver_complaint(12040, 13000);
  EXPECT_NE(complaint.find("12.4"), std::string::npos) << complaint;
  EXPECT_NE(complaint.find("13.0"), std::string::npos) << complaint;
  EXPECT_EQ(complaint.find('\n'), std::string::npos);
}

TEST(CoreDevice, TakesADriverOfTheSameMajorVersionOrANewerOne) {
  EXPECT_EQ(driver_complaint(13000, 13000), "");
  EXPECT_EQ(driver_complaint(13000, 13020), "");
  EXPECT_EQ(driver_complaint(14000, 13000), "");
}

TEST(CoreDevice, SaysThatThereIsNoDriver) {
  EXPECT_NE(driver_complaint(0, 13000).find("no NVIDIA driver"), std::string::npos);
}

}  // namespace
}  // namespace absorb
