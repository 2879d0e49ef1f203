#include "core/settings.h"

#include <fmt/ranges.h>

#include <stdexcept>

// toml++ asserts what a malformed text may well break ("[," is enough): here that is an error of the text.
namespace absorb {
struct BrokenToml : std::runtime_error {
  BrokenToml() : std::runtime_error("is no TOML") {}
};
[[noreturn]] inline void refuse_toml() {
  throw BrokenToml();
}
}  // namespace absorb
#define TOML_ASSERT(expr) (static_cast<bool>(expr) ? static_cast<void>(0) : ::absorb::refuse_toml())
#define TOML_ASSERT_ASSUME(expr) TOML_ASSERT(expr)
#include <toml++/toml.h>
#include <optional>
#include <sstream>

#include "core/error.h"
#include "core/text/toml.h"
#include "core/text/toml_guard.h"

namespace absorb {
namespace {

std::string escape(std::string_view key) {
  std::string out;
  for (const char c : key) out += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
  return out;
}

class FromToml {
 public:
  FromToml(std::map<std::string, std::string>& origins, std::string name) : origins_(origins), name_(std::move(name)) {}

  Json convert(const toml::node& node, const std::string& pointer) {
    const auto at = node.source().begin;
    origins_[pointer] = fmt::format("{}:{}:{}", name_, at.line, at.column);
    if (const auto* table = node.as_table()) {
      Json out = Json::object();
      for (const auto& [key, value] : *table) {
        const std::string inner = pointer + '/' + escape(key.str());
        out[std::string(key.str())] = convert(value, inner);
        const auto key_at = key.source().begin;
        if (key_at.line > 0) origins_[inner] = fmt::format("{}:{}:{}", name_, key_at.line, key_at.column);
      }
      return out;
    }
    if (const auto* array = node.as_array()) {
      Json out = Json::array();
      for (const auto& value : *array) out.push_back(convert(value, fmt::format("{}/{}", pointer, out.size())));
      return out;
    }
    if (const auto* v = node.as_integer()) return v->get();
    if (const auto* v = node.as_floating_point()) return v->get();
    if (const auto* v = node.as_boolean()) return v->get();
    if (const auto* v = node.as_string()) return v->get();
    user_error("{}: dates are not used in settings; write a string", origins_[pointer]);
  }

 private:
  std::map<std::string, std::string>& origins_;
  std::string name_;
};

// What `text` is in TOML, if it is one value there; anything else is a string.
std::optional<Json> toml_value(const std::string& text, const std::string& name) {
  try {
    refuse_odd_toml("v = " + text, name);
    const toml::table table = toml::parse("v = " + text);
    if (table.size() != 1) return std::nullopt;
    std::map<std::string, std::string> origins;
    return FromToml(origins, name).convert(*table.get("v"), "");
  } catch (const toml::parse_error&) {
    return std::nullopt;
  } catch (const BrokenToml&) {
    return std::nullopt;
  } catch (const UserError&) {  // of refuse_odd_toml; and dates, which are text here
    return std::nullopt;
  }
}

// Where the key of KEY=VALUE ends: a quoted part may hold an equals sign.
std::size_t end_of_key(const std::string& assignment) {
  char quote = 0;
  for (std::size_t at = 0; at < assignment.size(); ++at) {
    const char c = assignment[at];
    if (quote == 0 && c == '=') return at;
    if (quote == 0 && (c == '"' || c == '\''))
      quote = c;
    else if (c == quote)
      quote = 0;
  }
  return std::string::npos;
}

// The parts of a dotted key. One with quotes is TOML's; without, a part may be what TOML wants quoted: rates.*router*.
std::vector<std::string> parts_of(const std::string& key) {
  refuse_odd_toml(key, "key");
  std::vector<std::string> parts;
  if (key.find_first_of("\"'") == std::string::npos) {
    std::istringstream in(key);
    for (std::string part; std::getline(in, part, '.');) parts.push_back(part);
    return parts;
  }
  try {
    const toml::table table = toml::parse(key + " = 0");
    for (const toml::table* at = &table; at != nullptr && at->size() == 1; at = at->begin()->second.as_table())
      parts.emplace_back(at->begin()->first.str());
    if (!parts.empty()) return parts;
  } catch (const std::exception&) {  // of toml++: said below
  }
  user_error("{} is no key: names with dots between, quoted where they hold dots", key);
}

}  // namespace

Settings Settings::from_file(const Path& path) {
  return from_text(read_file(path), path.string());
}

Settings Settings::from_text(std::string_view text, const std::string& name) {
  Settings settings;
  refuse_odd_toml(text, name);
  try {
    const toml::table table = toml::parse(text, name);
    settings.value_ = FromToml(settings.origins_, name).convert(table, "");
  } catch (const toml::parse_error& error) {
    const auto at = error.source().begin;
    user_error("{}:{}:{}: {}", name, at.line, at.column, error.description());
  } catch (const BrokenToml&) {
    user_error("{}: is no TOML: is a bracket or a key unfinished?", name);
  }
  return settings;
}

Settings Settings::from_assignment(const std::string& assignment) {
  require(first_bad_utf8(assignment) == std::string::npos, "--set takes text in UTF-8 but got other bytes: {}",
          assignment);
  const std::size_t equals = end_of_key(assignment);
  require(equals != std::string::npos && equals > 0, "--set takes KEY=VALUE but got \"{}\"", assignment);
  const std::string key = assignment.substr(0, equals), value = assignment.substr(equals + 1);
  const std::optional<Json> found = toml_value(value, "--set " + key);
  return from_json(found ? *found : Json(value), "--set " + assignment).under(parts_of(key));
}

Settings Settings::from_json(Json value, const std::string& name) {
  Settings settings;
  settings.value_ = std::move(value);
  settings.origins_[""] = name;
  return settings;
}

Settings Settings::table(const std::string& key) const {
  Settings out;
  out.origins_[""] = where(key);
  if (!value_.contains(key)) return out;
  require(value_[key].is_object(), "{}: `{}` must be a table", where(key), key);
  out.value_ = value_[key];
  const std::string prefix = '/' + escape(key);
  for (const auto& [pointer, origin] : origins_)
    if (pointer.starts_with(prefix + '/')) out.origins_[pointer.substr(prefix.size())] = origin;
  return out;
}

std::vector<Settings> Settings::tables(const std::string& key) const {
  std::vector<Settings> out;
  if (!value_.contains(key)) return out;
  require(value_[key].is_array(), "{}: write [[{}]], one table for each", where(key), key);
  for (std::size_t i = 0; i < value_[key].size(); ++i) {
    const std::string prefix = fmt::format("/{}/{}", escape(key), i);
    Settings item;
    item.value_ = value_[key][i];
    const auto own = origins_.find(prefix);
    item.origins_[""] = own == origins_.end() ? where(key) : own->second;
    require(item.value_.is_object(), "{}: write [[{}]], one table for each", item.where(), key);
    for (const auto& [pointer, origin] : origins_)
      if (pointer.starts_with(prefix + '/')) item.origins_[pointer.substr(prefix.size())] = origin;
    out.push_back(std::move(item));
  }
  return out;
}

std::string Settings::where(const std::string& key) const {
  if (!key.empty())
    if (const auto found = origins_.find('/' + escape(key)); found != origins_.end()) return found->second;
  const auto own = origins_.find("");
  return own == origins_.end() ? "settings" : own->second;
}

void Settings::lay(const std::string& pointer, Json& target, const Settings& over, const std::string& over_pointer) {
  const Json& source = over_pointer.empty() ? over.value_ : over.value_.at(Json::json_pointer(over_pointer));
  const bool both_tables = target.is_object() && source.is_object();
  const bool other_type =
      both_tables && source.contains("type") && target.contains("type") && source["type"] != target["type"];
  if (both_tables && !other_type) {
    for (const auto& [key, value] : source.items()) {
      const std::string step = '/' + escape(key);
      if (!target.contains(key)) target[key] = nullptr;
      lay(pointer + step, target[key], over, over_pointer + step);
    }
    return;
  }
  target = source;
  std::erase_if(origins_,
                [&](const auto& entry) { return entry.first == pointer || entry.first.starts_with(pointer + '/'); });
  const auto own = over.origins_.find("");
  origins_[pointer] = own == over.origins_.end() ? "settings" : own->second;
  for (const auto& [key, origin] : over.origins_)
    if (key == over_pointer || key.starts_with(over_pointer + '/'))
      origins_[pointer + key.substr(over_pointer.size())] = origin;
}

void Settings::merge(const Settings& over) {
  if (value_.empty() && !origins_.contains("")) {
    *this = over;
    return;
  }
  lay("", value_, over, "");
}

Settings Settings::under(const std::string& key) const {
  return under(parts_of(key));
}

Settings Settings::under(const std::vector<std::string>& names) const {
  Settings out = *this;
  for (auto name = names.rbegin(); name != names.rend(); ++name) {
    out.value_ = Json::object({{*name, out.value_}});
    std::map<std::string, std::string> origins;
    for (const auto& [pointer, origin] : out.origins_) origins['/' + escape(*name) + pointer] = origin;
    origins[""] = out.where();
    out.origins_ = std::move(origins);
  }
  return out;
}

void Settings::erase(const std::string& key) {
  value_.erase(key);
  const std::string prefix = '/' + escape(key);
  std::erase_if(origins_,
                [&](const auto& entry) { return entry.first == prefix || entry.first.starts_with(prefix + '/'); });
}

std::string Settings::toml() const {
  return to_toml(value_);
}

std::string join(const std::vector<std::string>& names, std::string_view separator) {
  return fmt::format("{}", fmt::join(names, separator));
}

std::string nearest(std::string_view wrong, const std::vector<std::string>& names) {
  std::string best;
  std::size_t best_distance = std::max<std::size_t>(2, wrong.size() / 3) + 1;
  for (const std::string& name : names) {
    std::vector<std::size_t> row(name.size() + 1);
    for (std::size_t j = 0; j <= name.size(); ++j) row[j] = j;
    for (std::size_t i = 1; i <= wrong.size(); ++i) {
      std::size_t diagonal = row[0];
      row[0] = i;
      for (std::size_t j = 1; j <= name.size(); ++j) {
        const std::size_t substitute = diagonal + (wrong[i - 1] == name[j - 1] ? 0 : 1);
        diagonal = row[j];
        row[j] = std::min({row[j] + 1, row[j - 1] + 1, substitute});
      }
    }
    if (row.back() < best_distance) {
      best_distance = row.back();
      best = name;
    }
  }
  return best;
}

}  // namespace absorb
