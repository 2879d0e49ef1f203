// Variants of a type's settings, and the checks on its field list.
#include <algorithm>
#include <cmath>
#include <optional>
#include <set>

#include "core/error.h"
#include "router/conformance/kit.h"

namespace absorb::conformance {

Typed typed(const Resolve& resolve, const std::string& name, Json settings) {
  settings["type"] = name;
  return resolve(Settings::from_json(std::move(settings), "conformance"));
}

void set(Json& settings, const std::string& key, const Json& value) {
  std::string pointer = "/" + key;
  std::replace(pointer.begin(), pointer.end(), '.', '/');
  settings[Json::json_pointer(pointer)] = value;
}

std::vector<double> limits(const FieldDoc& field) {
  const auto to = field.range.find(" to ");
  if (to == std::string::npos || (field.type != "integer" && field.type != "number")) return {};
  return {std::stod(field.range.substr(0, to)), std::stod(field.range.substr(to + 4))};
}

namespace {

constexpr std::size_t most_combinations = 256;

std::vector<std::string> choices_of(const FieldDoc& field) {
  std::vector<std::string> out;
  if (field.type != "string") return out;
  for (std::size_t begin = 0; begin < field.range.size();) {
    const std::size_t end = std::min(field.range.find(", ", begin), field.range.size());
    out.push_back(field.range.substr(begin, end - begin));
    begin = end + 2;
  }
  return out;
}

std::vector<Json> values_of(const FieldDoc& field) {
  if (field.type == "true or false") return {true, false};
  std::vector<Json> out;
  for (const std::string& choice : choices_of(field)) out.emplace_back(choice);
  return out;
}

// A legal value that isn't the initial one; null where none can be told from the documentation.
Json changed_value(const FieldDoc& field) {
  if (field.type == "true or false") return field.initial != "true";
  for (const std::string& choice : choices_of(field))
    if (field.initial != '"' + choice + '"') return choice;
  if (field.type == "string" && field.range.empty()) return "something else";
  const std::vector<double> range = limits(field);
  if (range.empty() || range[0] == range[1]) return {};
  const double initial = std::stod(field.initial);
  if (field.type == "integer") return static_cast<int64_t>(initial < range[1] ? initial + 1 : initial - 1);
  const double up = std::min(1.0, (range[1] - initial) / 2);
  return up > 0 ? initial + up : (initial + range[0]) / 2;
}

std::vector<Json> combinations(const std::vector<FieldDoc>& fields) {
  std::vector<Json> out = {Json::object()};
  for (const FieldDoc& field : fields) {
    const std::vector<Json> values = values_of(field);
    if (values.empty() || out.size() * values.size() > most_combinations) continue;
    std::vector<Json> next;
    for (const Json& settings : out)
      for (const Json& value : values) {
        next.push_back(settings);
        set(next.back(), field.key, value);
      }
    out = std::move(next);
  }
  return out;
}

}  // namespace

namespace {

std::optional<Typed> if_legal(const Resolve& resolve, const std::string& name, const Json& settings) {
  try {
    return typed(resolve, name, settings);
  } catch (const UserError&) {
    return std::nullopt;  // the checks of refusals are elsewhere
  }
}

}  // namespace

std::vector<Typed> variants(const std::vector<FieldDoc>& fields, const Resolve& resolve, const std::string& name) {
  std::vector<Typed> out;
  std::set<std::string> seen;
  const auto add = [&](const Json& settings) {
    std::optional<Typed> variant = if_legal(resolve, name, settings);
    if (variant && seen.insert(variant->table.value().dump()).second) out.push_back(std::move(*variant));
  };
  add(Json::object());
  for (const Json& combination : combinations(fields)) {
    add(combination);
    Json small = combination;
    for (const FieldDoc& field : fields)
      if (const auto range = limits(field); field.type == "integer" && !range.empty())
        set(small, field.key, static_cast<int64_t>(std::clamp(5.0, range[0], range[1])));
    add(small);
  }
  return out;
}

void drop_refused(std::vector<Typed>& variants, const std::function<void(const Typed&)>& make) {
  const auto refused = [&](const Typed& variant) {
    try {
      make(variant);
      return false;
    } catch (const UserError&) {
      return true;
    } catch (const std::exception&) {
      return false;
    }
  };
  variants.erase(std::remove_if(variants.begin() + 1, variants.end(), refused), variants.end());
}

std::string short_text(const Typed& variant, const Typed& defaults) {
  std::vector<std::string> parts;
  for (const auto& [key, value] : variant.table.value().items())
    if (!defaults.table.value().contains(key) || defaults.table.value()[key] != value)
      parts.push_back(fmt::format("{} = {}", key, value.dump()));
  return parts.empty() ? "defaults" : join(parts);
}

namespace {

// Reading what was written changes nothing, and a changed value arrives without moving another.
Worst round_trip(const std::string& name, const std::vector<FieldDoc>& fields, const Resolve& resolve) {
  Worst worst;
  const Typed defaults = typed(resolve, name);
  const auto again = [&](const Json& written, const std::string& what) {
    worst.add(typed(resolve, name, written).table.value() == written ? 0 : 1, what);
  };
  again(defaults.table.value(), "defaults");
  for (const FieldDoc& field : fields) {
    const Json value = changed_value(field);
    if (value.is_null()) continue;
    Json wanted = defaults.table.value(), asked = Json::object();
    set(wanted, field.key, value);
    set(asked, field.key, value);
    worst.add(typed(resolve, name, asked).table.value() == wanted ? 0 : 1, field.key);
    again(wanted, field.key);
  }
  return worst;
}

Worst accepted_out_of_range(const std::string& name, const std::vector<FieldDoc>& fields, const Resolve& resolve) {
  Worst worst;
  const auto try_value = [&](const FieldDoc& field, const Json& value) {
    Json asked = Json::object();
    set(asked, field.key, value);
    const Worst found = not_refused([&] { typed(resolve, name, asked); });
    worst.add(found.value, fmt::format("{} = {}: {}", field.key, value.dump(), found.where));
  };
  for (const FieldDoc& field : fields) {
    if (!choices_of(field).empty()) try_value(field, "no such choice");
    const std::vector<double> range = limits(field);
    if (range.empty()) continue;
    for (const double value : {range[0] - std::abs(range[0]) - 1, range[1] + std::abs(range[1]) + 1})
      try_value(field, field.type == "integer" ? Json(static_cast<int64_t>(value)) : Json(value));
  }
  return worst;
}

}  // namespace

void check_settings(Checks& checks, const std::string& name, const std::vector<FieldDoc>& fields,
                    const Resolve& resolve) {
  checks.add("settings round trip", "whether settings change when written and read", 0,
             [&] { return round_trip(name, fields, resolve); });
  checks.add("settings refused", "whether values outside their range, or unknown keys, are taken", 0, [&] {
    Worst worst = accepted_out_of_range(name, fields, resolve);
    const Worst unknown = not_refused([&] { typed(resolve, name, {{"no_such_setting", 1}}); });
    worst.add(unknown.value, "an unknown key: " + unknown.where);
    return worst;
  });
}

}  // namespace absorb::conformance
