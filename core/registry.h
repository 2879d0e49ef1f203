// Named implementations of one interface: what `type = "..."` in a study file may say. A registry is filled by an
// ordinary function (self-registering statics are dropped by linkers); an unknown name lists what exists. It grows
// after the start when a plug-in is loaded (studies/plugin/load.h): entries never move or go, so that what was found
// stays valid, but nobody may look a name up on another thread meanwhile. Nothing may keep a copy of names().
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/settings.h"

namespace absorb {

/// Interfaces say with a struct `Traits` what their implementations may differ in; others have none.
struct NoTraits {};
template <class T>
struct TraitsOf {
  using type = NoTraits;
};
template <class T>
requires requires {
  typename T::Traits;
}
struct TraitsOf<T> {
  using type = typename T::Traits;
};

template <class T, class... Args>
class Registry {
 public:
  using Traits = typename TraitsOf<T>::type;
  /// `kind` is what messages call an entry: "router", "selection".
  explicit Registry(std::string kind) : kind_(std::move(kind)) {}

  /// Registers `name`. S is its settings struct with a field list; `make` builds it; `traits` are what it claims of
  /// itself, and what `absorb conform` holds it to.
  template <class S>
  void add(const std::string& name, std::string doc, std::function<std::shared_ptr<T>(const S&, Args...)> make,
           Traits traits = {}) {
    Entry entry;
    entry.doc = std::move(doc);
    entry.traits = traits;
    entry.make = [make](const Settings& table, Args... args) {
      return make(read_settings<S>(table, {"type"}), std::forward<Args>(args)...);
    };
    entry.resolve = [](const Settings& table) { return write_settings(read_settings<S>(table, {"type"})); };
    entry.fields = [] {
      S value;
      return document_fields([&value](Fields& list) { fields(list, value); });
    };
    check(entries_.emplace(name, std::move(entry)).second, "{} \"{}\" is registered twice", kind_, name);
  }

  std::shared_ptr<T> make(const Typed& typed, Args... args) const {
    return find(typed.type, typed.table).make(typed.table, std::forward<Args>(args)...);
  }

  /// Checks a table and returns it with all defaults written out.
  Typed resolve(const Settings& table) const {
    const Json& value = table.value();
    require(value.contains("type") && value["type"].is_string(), "{}: this {} needs a `type`: one of {}", table.where(),
            kind_, join(names()));
    const std::string type = value["type"];
    Json resolved = find(type, table).resolve(table);
    resolved["type"] = type;
    return {type, Settings::from_json(std::move(resolved), table.where())};
  }

  std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const auto& [name, entry] : entries_) names.push_back(name);
    return names;
  }
  const std::string& doc(const std::string& name) const { return entries_.at(name).doc; }
  const Traits& traits(const std::string& name) const { return entries_.at(name).traits; }
  std::vector<FieldDoc> fields_of(const std::string& name) const { return entries_.at(name).fields(); }
  const std::string& kind() const { return kind_; }
  /// What brought an entry: what take() was told; empty for what is built in, and for a name that nothing has.
  std::string origin(const std::string& name) const {
    const auto found = entries_.find(name);
    return found == entries_.end() ? "" : found->second.origin;
  }
  /// The names in both registries.
  std::vector<std::string> clashes(const Registry& others) const {
    std::vector<std::string> both;
    for (const auto& [name, entry] : others.entries_)
      if (entries_.contains(name)) both.push_back(name);
    return both;
  }
  /// Moves in what `others` has, none of which may clash.
  void take(Registry& others, const std::string& origin) {
    check(clashes(others).empty(), "{} \"{}\" is registered twice", kind_, join(clashes(others)));
    for (auto& [name, entry] : others.entries_) entry.origin = origin;
    entries_.merge(others.entries_);
  }

 private:
  struct Entry {
    std::string doc, origin;
    Traits traits;
    std::function<std::shared_ptr<T>(const Settings&, Args...)> make;
    std::function<Json(const Settings&)> resolve;
    std::function<std::vector<FieldDoc>()> fields;
  };
  const Entry& find(const std::string& name, const Settings& table) const {
    const auto found = entries_.find(name);
    if (found != entries_.end()) return found->second;
    const std::string near = nearest(name, names());
    user_error("{}: unknown {} \"{}\"{}; known: {}", table.where("type"), kind_, name,
               near.empty() ? "" : fmt::format(" (did you mean \"{}\"?)", near), join(names()));
  }
  std::string kind_;
  std::map<std::string, Entry> entries_;
};

/// For entries that have no settings of their own.
struct NoSettings {};
inline void fields(Fields&, NoSettings&) {}

}  // namespace absorb
