// Every number of every settings table at, below and beyond its limits.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>

#include "core/error.h"
#include "studies/plan/run_settings.h"
#include "studies/study/study.h"

namespace absorb {
namespace {

Json under(const std::string& key, const Json& value) {
  return Settings::from_json(value, "limit").under(key).value();
}

// How many limits were tried.
template <class S>
int64_t try_limits(const std::string& table) {
  S blank;
  int64_t tried = 0;
  for (const FieldDoc& row : document_fields([&blank](Fields& list) { fields(list, blank); })) {
    const bool whole = row.type == "integer";
    if (!whole && row.type != "number") continue;
    const std::size_t to = row.range.find(" to ");
    if (to == std::string::npos) continue;
    const std::string low = row.range.substr(0, to), high = row.range.substr(to + 4);
    const auto number = [whole](const std::string& text) {
      return whole ? Json(std::stoll(text)) : Json(std::stod(text));
    };
    const auto fine = [&](const Json& value) {
      EXPECT_NO_THROW(read_settings<S>(Settings::from_json(under(row.key, value), "limit")))
          << table << '.' << row.key << " = " << value;
    };
    const auto refused = [&](const Json& value) {
      try {
        read_settings<S>(Settings::from_json(under(row.key, value), "limit"));
        ADD_FAILURE() << table << '.' << row.key << " = " << value << " was taken; legal: " << row.range;
      } catch (const UserError& error) {
        const std::string last = row.key.substr(row.key.rfind('.') + 1);
        EXPECT_NE(std::string(error.what()).find(last), std::string::npos) << error.what();
      }
    };
    fine(number(low));
    fine(number(high));
    if (whole) {
      refused(std::stoll(low) - 1);
      refused(std::stoll(high) + 1);
      refused(0.5);
      refused(1e300);
    } else {
      // The page shows limits with few digits: well beyond them.
      refused(std::stod(low) - 1 - std::abs(std::stod(low)));
      refused(std::stod(high) + 1 + std::abs(std::stod(high)));
    }
    refused(std::nan(""));
    refused(std::numeric_limits<double>::infinity());
    refused("7");
    refused(Json::array());
    tried += 2;
  }
  return tried;
}

TEST(SettingsLimits, OfEveryNumberOfEveryTable) {
  int64_t tried = 0;
  tried += try_limits<ModelSettings>("model");
  tried += try_limits<TrainingSettings>("training");
  tried += try_limits<CompensationSettings>("compensation");
  tried += try_limits<ContrastSpec>("contrast");
  tried += try_limits<DeploymentSpec>("deployment");
  EXPECT_GT(tried, 60);
}

}  // namespace
}  // namespace absorb
