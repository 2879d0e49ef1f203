#include <fmt/format.h>

#include <algorithm>

#include "studies/report/page/html.h"
#include "studies/report/page/parts.h"

namespace absorb::report {
namespace {

constexpr size_t most_listed = 3;

std::string plain(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_array() && !value.empty() &&
      std::all_of(value.begin(), value.end(), [](const Json& item) { return item.is_string(); })) {
    std::string out;
    for (const Json& word : value) out += (out.empty() ? "" : " ") + word.get<std::string>();
    return out;
  }
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

struct Fact {
  std::string key;
  std::vector<Json> values;  // those that differ, in the order of the runs
};

void collect(const Json& value, const std::string& key, std::vector<Fact>& facts) {
  if (value.is_object()) {
    for (const auto& [name, inner] : value.items()) collect(inner, key.empty() ? name : key + "." + name, facts);
    return;
  }
  auto found = std::find_if(facts.begin(), facts.end(), [&key](const Fact& fact) { return fact.key == key; });
  if (found == facts.end()) found = facts.insert(facts.end(), {key, {}});
  if (std::find(found->values.begin(), found->values.end(), value) == found->values.end())
    found->values.push_back(value);
}

/// All of few values, the ends of many.
std::string summary(const Fact& fact) {
  std::vector<Json> values = fact.values;
  std::sort(values.begin(), values.end());
  if (values.size() > most_listed)
    return fmt::format("{} values, from {} to {}", values.size(), plain(values.front()), plain(values.back()));
  std::string out;
  for (const Json& value : values) out += (out.empty() ? "" : "; ") + plain(value);
  return out;
}

}  // namespace

std::string provenance_table(const Material& material) {
  std::vector<Fact> facts;
  for (const RunRecord& run : material.records)
    if (run.provenance.is_object()) collect(run.provenance, "", facts);
  if (facts.empty()) return "";
  std::string rows;
  for (const Fact& fact : facts)
    rows += fmt::format("<tr><th scope=\"row\" class=\"word\">{}</th><td>{}</td></tr>\n", escape(fact.key),
                        escape(summary(fact)));
  return "<table class=\"fixed\">\n<caption>What ran, on what, built from what; over all runs of the study. Where runs "
         "differ, every value or both ends.</caption>\n<tbody>\n" +
         rows + "</tbody>\n</table>\n";
}

}  // namespace absorb::report
