#include "studies/study/axes.h"

#include <algorithm>
#include <set>

#include "core/error.h"

namespace absorb {

bool means_missing(const std::string& name) {
  static const std::set<std::string> words = {"",     "NA",   "N/A",  "n/a",  "NULL", "null", "NaN", "nan",
                                              "-NaN", "-nan", "None", "<NA>", "#NA",  "#N/A", "Inf", "1.#IND"};
  return words.contains(name);
}

std::vector<std::string> patterns(const Settings& table, const std::string& key) {
  std::vector<std::string> out;
  if (!table.has(key)) return out;
  require(table.value()[key].is_array(), "{}: `{}` is an array of strings", table.where(key), key);
  for (const Json& item : table.value()[key]) {
    require(item.is_string(), "{}: `{}` is an array of strings", table.where(key), key);
    out.push_back(item);
  }
  return out;
}

namespace {

AxisSpec read_axis(const Settings& table) {
  for (const auto& [key, value] : table.value().items())
    require(key == "key" || key == "values" || key == "labels",
            "{}: unknown key `{}`; an axis has `key`, `values` and maybe `labels`", table.where(key), key);
  require(table.has("key") && table.value()["key"].is_string(),
          "{}: this axis needs a `key`, such as "
          "\"routing.router.rank\"",
          table.where());
  require(table.has("values") && table.value()["values"].is_array() && !table.value()["values"].empty(),
          "{}: this axis needs `values`, an array", table.where());
  AxisSpec axis{table.value()["key"], {}, patterns(table, "labels")};
  for (const Json& value : table.value()["values"]) {
    require(std::find(axis.values.begin(), axis.values.end(), value) == axis.values.end(),
            "{}: the value {} stands twice", table.where("values"), value.dump());
    axis.values.push_back(value);
  }
  if (axis.labels.empty())
    for (const Json& value : axis.values)
      axis.labels.push_back(value.is_string() ? value.get<std::string>() : value.dump());
  require(axis.labels.size() == axis.values.size(), "{}: {} labels for {} values", table.where("labels"),
          axis.labels.size(), axis.values.size());
  for (const std::string& label : axis.labels)
    require(!means_missing(label),
            "{}: a value called \"{}\" would be missing to pandas and R: give it a label in `labels`",
            table.where(table.has("labels") ? "labels" : "values"), label);
  for (const std::string& label : axis.labels)
    require(std::count(axis.labels.begin(), axis.labels.end(), label) == 1,
            "{}: two values are called \"{}\": give every one a label of its own in `labels`",
            table.where(table.has("labels") ? "labels" : "values"), label);
  return axis;
}

}  // namespace

std::vector<AxisSpec> read_axes(const std::vector<Settings>& tables) {
  std::vector<AxisSpec> axes;
  std::set<std::string> keys;
  for (const Settings& table : tables) {
    axes.push_back(read_axis(table));
    require(keys.insert(axes.back().key).second, "{}: two axes set `{}`, and the second would hide the first",
            table.where("key"), axes.back().key);
  }
  return axes;
}

Json write_axis(const AxisSpec& axis) {
  return {{"key", axis.key}, {"values", axis.values}, {"labels", axis.labels}};
}

std::string pointer_of(const std::string& key) {
  std::string pointer = "/" + key;
  std::ranges::replace(pointer, '.', '/');
  return pointer;
}

}  // namespace absorb
