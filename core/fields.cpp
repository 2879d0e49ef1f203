// The three walks over a field list: reading, writing, documenting.
#include <fmt/format.h>

#include "core/error.h"
#include "core/settings.h"

namespace absorb {
namespace {

class ReadFields final : public Fields {
 public:
  ReadFields(const Settings& table, std::set<std::string> ignored) : table_(table), known_(std::move(ignored)) {}

  void field(const std::string& key, int64_t& value, Range<int64_t> range, std::string_view) override {
    const Json* found = find(key);
    if (!found) return;
    expect(found->is_number_integer(), key, "a whole number", *found);
    in_range(key, found->get<int64_t>(), range);
    value = *found;
  }
  void field(const std::string& key, double& value, Range<double> range, std::string_view) override {
    const Json* found = find(key);
    if (!found) return;
    expect(found->is_number(), key, "a number", *found);
    in_range(key, found->get<double>(), range);
    value = *found;
  }
  void field(const std::string& key, bool& value, std::string_view) override {
    const Json* found = find(key);
    if (!found) return;
    expect(found->is_boolean(), key, "true or false", *found);
    value = *found;
  }
  void field(const std::string& key, std::string& value, std::string_view) override {
    const Json* found = find(key);
    if (!found) return;
    expect(found->is_string(), key, "a string", *found);
    value = *found;
  }
  void field(const std::string& key, std::string& value, const std::vector<std::string>& choices,
             std::string_view) override {
    const Json* found = find(key);
    if (!found) return;
    expect(found->is_string(), key, "a string", *found);
    const std::string text = *found;
    require(std::find(choices.begin(), choices.end(), text) != choices.end(),
            "{}: `{}` must be one of {} but got \"{}\"", table_.where(key), key, join(choices), text);
    value = text;
  }
  void field(const std::string& key, std::vector<int64_t>& value, Range<int64_t> range, std::string_view) override {
    const Json* found = find(key);
    if (!found) return;
    expect(found->is_array(), key, "an array of whole numbers", *found);
    std::vector<int64_t> out;
    for (const Json& item : *found) {
      expect(item.is_number_integer(), key, "an array of whole numbers", *found);
      in_range(key, item.get<int64_t>(), range);
      out.push_back(item);
    }
    value = std::move(out);
  }
  void field(const std::string& key, std::vector<std::string>& value, std::string_view) override {
    const Json* found = find(key);
    if (!found) return;
    expect(found->is_array(), key, "an array of strings", *found);
    std::vector<std::string> out;
    for (const Json& item : *found) {
      expect(item.is_string(), key, "an array of strings", *found);
      out.push_back(item);
    }
    value = std::move(out);
  }
  void field(const std::string& key, std::map<std::string, double>& value, Range<double> range,
             std::string_view) override {
    if (!find(key)) return;
    const Settings table = table_.table(key);
    for (const auto& [name, item] : table.value().items()) {
      require(item.is_number(), "{}: `{}` in `{}` must be a number but got {}", table.where(name), name, key,
              item.dump());
      in_range(key, item.get<double>(), range);
      value[name] = item;
    }
  }
  void table(const std::string& key, const std::function<void(Fields&)>& list, std::string_view) override {
    if (find(key)) read_fields(table_.table(key), list);
  }
  void typed(const std::string& key, Typed& value, const std::function<Typed(const Settings&)>& validate,
             std::string_view) override {
    if (find(key)) value = validate(table_.table(key));
  }

  void tables(const std::string& key, std::map<std::string, Typed>& value,
              const std::function<Typed(const std::string&, const Settings&)>& resolve,
              const std::vector<std::string>& known, std::string_view) override {
    if (!find(key)) return;
    const Settings table = table_.table(key);
    for (const auto& [name, item] : table.value().items()) {
      require(std::find(known.begin(), known.end(), name) != known.end(), "{}: unknown name `{}` in `{}`; known: {}",
              table.where(name), name, key, join(known));
      value[name] = resolve(name, table);
    }
  }

  void finish() const {
    for (const auto& [key, value] : table_.value().items()) {
      if (known_.contains(key)) continue;
      const std::vector<std::string> names(known_.begin(), known_.end());
      const std::string near = nearest(key, names);
      user_error("{}: unknown key `{}`; {}", table_.where(key), key,
                 near.empty() ? fmt::format("known here: {}", join(names)) : fmt::format("did you mean `{}`?", near));
    }
  }

 private:
  const Json* find(const std::string& key) {
    known_.insert(key);
    const Json& table = table_.value();
    return table.contains(key) ? &table[key] : nullptr;
  }
  void expect(bool holds, const std::string& key, std::string_view what, const Json& got) const {
    require(holds, "{}: `{}` must be {} but got {}", table_.where(key), key, what, got.dump());
  }
  template <class V>
  void in_range(const std::string& key, V value, Range<V> range) const {
    require(value >= range.low && value <= range.high, "{}: `{}` must be in [{}, {}] but got {}", table_.where(key),
            key, range.low, range.high, value);
  }
  const Settings& table_;
  std::set<std::string> known_;
};

class WriteFields final : public Fields {
 public:
  Json out = Json::object();
  void field(const std::string& key, int64_t& value, Range<int64_t>, std::string_view) override { out[key] = value; }
  void field(const std::string& key, double& value, Range<double>, std::string_view) override { out[key] = value; }
  void field(const std::string& key, bool& value, std::string_view) override { out[key] = value; }
  void field(const std::string& key, std::string& value, std::string_view) override { out[key] = value; }
  void field(const std::string& key, std::string& value, const std::vector<std::string>&, std::string_view) override {
    out[key] = value;
  }
  void field(const std::string& key, std::vector<int64_t>& value, Range<int64_t>, std::string_view) override {
    out[key] = value;
  }
  void field(const std::string& key, std::vector<std::string>& value, std::string_view) override { out[key] = value; }
  void field(const std::string& key, std::map<std::string, double>& value, Range<double>, std::string_view) override {
    if (!value.empty()) out[key] = value;
  }
  void table(const std::string& key, const std::function<void(Fields&)>& list, std::string_view) override {
    out[key] = write_fields(list);
  }
  void typed(const std::string& key, Typed& value, const std::function<Typed(const Settings&)>&,
             std::string_view) override {
    if (!value.type.empty()) out[key] = value.table.value();
  }
  void tables(const std::string& key, std::map<std::string, Typed>& value,
              const std::function<Typed(const std::string&, const Settings&)>&, const std::vector<std::string>&,
              std::string_view) override {
    for (const auto& [name, typed] : value) {
      out[key][name] = typed.table.value();
      out[key][name].erase("type");
    }
  }
};

class DocumentFields final : public Fields {
 public:
  std::vector<FieldDoc> rows;
  void field(const std::string& key, int64_t& value, Range<int64_t> range, std::string_view doc) override {
    rows.push_back({key, "integer", limits(range), fmt::format("{}", value), std::string(doc)});
  }
  void field(const std::string& key, double& value, Range<double> range, std::string_view doc) override {
    rows.push_back({key, "number", limits(range), fmt::format("{}", value), std::string(doc)});
  }
  void field(const std::string& key, bool& value, std::string_view doc) override {
    rows.push_back({key, "true or false", "", value ? "true" : "false", std::string(doc)});
  }
  void field(const std::string& key, std::string& value, std::string_view doc) override {
    rows.push_back({key, "string", "", fmt::format("\"{}\"", value), std::string(doc)});
  }
  void field(const std::string& key, std::string& value, const std::vector<std::string>& choices,
             std::string_view doc) override {
    rows.push_back({key, "string", join(choices, ", "), fmt::format("\"{}\"", value), std::string(doc)});
  }
  void field(const std::string& key, std::vector<int64_t>& value, Range<int64_t> range, std::string_view doc) override {
    rows.push_back({key, "integers", limits(range), Json(value).dump(), std::string(doc)});
  }
  void field(const std::string& key, std::vector<std::string>& value, std::string_view doc) override {
    rows.push_back({key, "strings", "", Json(value).dump(), std::string(doc)});
  }
  void field(const std::string& key, std::map<std::string, double>&, Range<double> range,
             std::string_view doc) override {
    rows.push_back({key, "table of numbers", limits(range), "", std::string(doc)});
  }
  void table(const std::string& key, const std::function<void(Fields&)>& list, std::string_view doc) override {
    rows.push_back({key, "table", "", "", std::string(doc)});
    for (FieldDoc row : document_fields(list)) {
      row.key = key + '.' + row.key;
      rows.push_back(std::move(row));
    }
  }
  void typed(const std::string& key, Typed& value, const std::function<Typed(const Settings&)>&,
             std::string_view doc) override {
    rows.push_back({key, "table with a type", "", value.type, std::string(doc)});
  }
  void tables(const std::string& key, std::map<std::string, Typed>&,
              const std::function<Typed(const std::string&, const Settings&)>&, const std::vector<std::string>& known,
              std::string_view doc) override {
    rows.push_back({key, "table", join(known), "", std::string(doc)});
  }

 private:
  template <class V>
  static std::string limits(Range<V> range) {
    return fmt::format("{} to {}", range.low, range.high);
  }
};

}  // namespace

void read_fields(const Settings& table, const std::function<void(Fields&)>& list,
                 const std::set<std::string>& ignored) {
  ReadFields reader(table, ignored);
  list(reader);
  reader.finish();
}

Json write_fields(const std::function<void(Fields&)>& list) {
  WriteFields writer;
  list(writer);
  return std::move(writer.out);
}

std::vector<FieldDoc> document_fields(const std::function<void(Fields&)>& list) {
  DocumentFields documenter;
  list(documenter);
  return std::move(documenter.rows);
}

}  // namespace absorb
