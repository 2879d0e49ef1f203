// A whole study of two seconds, with a deployment, and what it says without what a clock says: for tests that disturb
// it and hold the results to those of an undisturbed one.
#pragma once

#include <nlohmann/json.hpp>

#include <cstdlib>

#include "tests/studies/command/command_fixture.h"

namespace absorb::testing {

class SmallStudyTest : public CommandTest {
 protected:
  /// A number that the environment states: how many tries, and from which on. The tests of a change make a few.
  static int64_t stated(const char* name, int64_t usual) {
    const char* text = std::getenv(name);
    return text == nullptr ? usual : std::max<int64_t>(1, std::strtol(text, nullptr, 10));
  }
  std::vector<std::string> compensate(const std::string& runs) const {
    return {"compensate", (folder / runs / "s").string(),
            "--measures", "first_order,knock_out",
            "--device",   "cpu",
            "--jobs",     "1",
            "--set",      "compensation.sequences=4"};
  }
  Path small(int steps) const {
    return study(
        "[[deployment]]\nname = \"hard\"\narms = [\"learned\"]\nrouting.selection = { type = \"top_k\", k = 2 }\n",
        "seeds = [1]", steps);
  }
  std::string results(const std::string& runs) const {
    nlohmann::json json = nlohmann::json::parse(read_file(folder / runs / "s/results.json"));
    clean(json);
    return json.dump();
  }

 private:
  static void clean(nlohmann::json& at) {
    if (at.is_object()) {
      for (const char* key : {"seconds", "tokens_per_sec", "provenance"}) at.erase(key);
      for (auto& [key, value] : at.items()) clean(value);
    }
    if (at.is_array())
      for (nlohmann::json& value : at) clean(value);
  }
};

}  // namespace absorb::testing
