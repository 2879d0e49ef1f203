#include "studies/folder/differences.h"

#include <fmt/format.h>

#include <set>

namespace absorb {

std::vector<std::string> differences(const Json& before, const Json& after, const std::string& prefix) {
  std::vector<std::string> out;
  std::set<std::string> keys;
  for (const Json* side : {&before, &after})
    for (const auto& [key, value] : side->items()) keys.insert(key);
  for (const std::string& key : keys) {
    const std::string name = prefix + key;
    const Json a = before.value(key, Json()), b = after.value(key, Json());
    if (a.is_object() && b.is_object()) {
      for (std::string& line : differences(a, b, name + '.')) out.push_back(std::move(line));
    } else if (a != b) {
      out.push_back(
          fmt::format("{}: {} -> {}", name, a.is_null() ? "absent" : a.dump(), b.is_null() ? "absent" : b.dump()));
    }
  }
  return out;
}

}  // namespace absorb
