// Settings: TOML tables that remember where each value was written, and one field list per settings struct.
//
// A settings struct is a plain struct with a function `void fields(Fields&, S&)` that names every field once, with
// its legal range and a line of documentation. Reading, writing and the reference page all walk that list, so that a
// misspelt key can't train at its default: what the list doesn't name is an error with file:line:column.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/files.h"

namespace absorb {

using Json = nlohmann::json;

/// A TOML table: values, and for each the "file:line:column" it came from.
class Settings {
 public:
  Settings() : value_(Json::object()) {}
  /// Parses a TOML file; UserError with file:line:column on a syntax error, with the path when it is absent.
  static Settings from_file(const Path& path);
  /// Parses TOML text; `name` stands for the file in messages.
  static Settings from_text(std::string_view text, const std::string& name);
  /// One `--set key.with.dots=value`; a value that is no TOML is taken as a string.
  static Settings from_assignment(const std::string& assignment);
  /// Values without positions, from a program.
  static Settings from_json(Json value, const std::string& name);

  const Json& value() const { return value_; }
  bool has(const std::string& key) const { return value_.contains(key); }
  /// The table under `key` (empty if absent); UserError if it is no table.
  Settings table(const std::string& key) const;
  /// The tables of [[key]]; UserError if it is something else.
  std::vector<Settings> tables(const std::string& key) const;
  /// "file:line:column" of `key`, or of this table when `key` is empty or unknown.
  std::string where(const std::string& key = "") const;
  /// Lays `over` on top: tables merge, arrays and values replace, and a table whose `type` differs replaces too.
  void merge(const Settings& over);
  /// This table under `key`, as a table that holds nothing else. Dots in `key` make tables in tables.
  Settings under(const std::string& key) const;
  Settings under(const std::vector<std::string>& names) const;
  void erase(const std::string& key);
  /// As TOML text.
  std::string toml() const;

 private:
  void lay(const std::string& pointer, Json& target, const Settings& over, const std::string& over_pointer);
  Json value_;
  std::map<std::string, std::string> origins_;  // by JSON pointer
};

template <class V>
struct Range {
  V low, high;
};

/// A table that chooses an implementation by its `type` key; the rest of it belongs to that implementation.
struct Typed {
  std::string type;
  Settings table;
};

/// What walks a field list. Three walks exist: reading, writing and documenting.
class Fields {
 public:
  virtual ~Fields() = default;
  virtual void field(const std::string& key, int64_t& value, Range<int64_t> range, std::string_view doc) = 0;
  virtual void field(const std::string& key, double& value, Range<double> range, std::string_view doc) = 0;
  virtual void field(const std::string& key, bool& value, std::string_view doc) = 0;
  virtual void field(const std::string& key, std::string& value, std::string_view doc) = 0;
  /// One of the named choices.
  virtual void field(const std::string& key, std::string& value, const std::vector<std::string>& choices,
                     std::string_view doc) = 0;
  virtual void field(const std::string& key, std::vector<int64_t>& value, Range<int64_t> range,
                     std::string_view doc) = 0;
  virtual void field(const std::string& key, std::vector<std::string>& value, std::string_view doc) = 0;
  /// A table of numbers under names that its reader chooses.
  virtual void field(const std::string& key, std::map<std::string, double>& value, Range<double> range,
                     std::string_view doc) = 0;
  /// A table with a field list of its own.
  virtual void table(const std::string& key, const std::function<void(Fields&)>& list, std::string_view doc) = 0;
  /// A table whose `type` names an entry of a registry. `validate` reads it once for its errors and writes it back
  /// with all defaults.
  virtual void typed(const std::string& key, Typed& value, const std::function<Typed(const Settings&)>& validate,
                     std::string_view doc) = 0;
  /// A table of such tables by name; `resolve` gets the name and the table that holds it.
  virtual void tables(const std::string& key, std::map<std::string, Typed>& value,
                      const std::function<Typed(const std::string&, const Settings&)>& resolve,
                      const std::vector<std::string>& known, std::string_view doc) = 0;
};

/// Adds a nested settings struct to a field list.
template <class S>
void nested(Fields& list, const std::string& key, S& value, std::string_view doc) {
  list.table(
      key, [&value](Fields& inner) { fields(inner, value); }, doc);
}

/// Reads every field; UserError on an unknown key, a wrong type or a value out of range.
void read_fields(const Settings& table, const std::function<void(Fields&)>& list,
                 const std::set<std::string>& ignored = {});
/// All values, defaults included.
Json write_fields(const std::function<void(Fields&)>& list);

struct FieldDoc {
  std::string key, type, range, initial, doc;
};
/// One row per field, nested keys with dots.
std::vector<FieldDoc> document_fields(const std::function<void(Fields&)>& list);

template <class S>
S read_settings(const Settings& table, const std::set<std::string>& ignored = {}) {
  S value;
  read_fields(
      table, [&value](Fields& list) { fields(list, value); }, ignored);
  return value;
}

template <class S>
Json write_settings(const S& value) {
  S copy = value;
  return write_fields([&copy](Fields& list) { fields(list, copy); });
}

/// The name among `names` that is closest to `wrong`, or "" when none is near.
std::string nearest(std::string_view wrong, const std::vector<std::string>& names);
/// "a, b, c"
std::string join(const std::vector<std::string>& names, std::string_view separator = ", ");

}  // namespace absorb
