
#include "core/error.h"
#include "core/numbers.h"
#include "core/text/json.h"
#include "studies/folder/fields/record_fields.h"

namespace absorb {
namespace {

class ReadFields final : public RecordFields {
 public:
  ReadFields(const Json& json, std::string file, std::string prefix)
      : json_(json), file_(std::move(file)), prefix_(std::move(prefix)) {}

  void field(const std::string& key, int64_t& value, const About& about) override {
    if (const Json* found = find(key, about)) value = whole(*found, key);
  }
  void field(const std::string& key, std::optional<int64_t>& value, const About& about) override {
    value.reset();
    if (const Json* found = find(key, about); found != nullptr && !found->is_null()) value = whole(*found, key);
  }
  void field(const std::string& key, double& value, const About& about) override {
    value = nan;
    if (const Json* found = find(key, about)) value = number(*found, key);
  }
  void field(const std::string& key, bool& value, const About& about) override {
    const Json* found = find(key, about);
    if (found == nullptr) return;
    expect(found->is_boolean(), key, "true or false", *found);
    value = found->get<bool>();
  }
  void field(const std::string& key, std::string& value, const About& about) override {
    if (const Json* found = find(key, about)) value = word(*found, key);
  }
  void field(const std::string& key, std::vector<double>& value, const About& about) override {
    each(key, about, value, [&](const Json& item) { return number(item, key); });
  }
  void field(const std::string& key, std::vector<std::string>& value, const About& about) override {
    each(key, about, value, [&](const Json& item) { return word(item, key); });
  }
  void field(const std::string& key, std::map<std::string, double>& value, const About& about) override {
    value.clear();
    if (const Json* found = find_object(key, about))
      for (const auto& [name, item] : found->items()) value[name] = number(item, key + '.' + name);
  }
  void field(const std::string& key, std::map<std::string, std::string>& value, const About& about) override {
    value.clear();
    if (const Json* found = find_object(key, about))
      for (const auto& [name, item] : found->items()) value[name] = word(item, key + '.' + name);
  }
  void record(const std::string& key, const List& list, const About& about) override {
    if (const Json* found = find_object(key, about)) inside(*found, key, list);
  }
  void records(const std::string& key, const Rows& rows, const About& about) override {
    const Json* found = find(key, about);
    rows.resize(found == nullptr ? 0 : found->size());
    if (found == nullptr) return;
    expect(found->is_array(), key, "an array", *found);
    for (std::size_t i = 0; i < found->size(); ++i) {
      const std::string name = fmt::format("{}[{}]", key, i);
      expect((*found)[i].is_object(), name, "an object", (*found)[i]);
      inside((*found)[i], name, [&](RecordFields& inner) { rows.row(i, inner); });
    }
  }
  void named(const std::string& key, const Named& entries, const About& about) override {
    const Json* found = find_object(key, about);
    if (found == nullptr) return;
    for (const auto& [name, item] : found->items()) {
      expect(item.is_object(), key + '.' + name, "an object", item);
      inside(item, key + '.' + name, [&, &entry = name](RecordFields& inner) { entries.entry(entry, inner); });
    }
  }

 private:
  const Json* find(const std::string& key, const About& about) const {
    const auto found = json_.find(key);
    if (found != json_.end()) return &*found;
    require(about.may_lack, "{}: holds no `{}{}`: the file is damaged, or not one that absorb wrote", file_, prefix_,
            key);
    return nullptr;
  }
  const Json* find_object(const std::string& key, const About& about) const {
    const Json* found = find(key, about);
    if (found != nullptr) expect(found->is_object(), key, "an object", *found);
    return found;
  }
  void expect(bool holds, const std::string& key, const char* wanted, const Json& got) const {
    require(holds, "{}: `{}{}` must be {} but is {}: the file is damaged, or not one that absorb wrote", file_, prefix_,
            key, wanted,
            got.is_structured() ? got.type_name() : got.dump(-1, ' ', false, Json::error_handler_t::replace));
  }
  int64_t whole(const Json& item, const std::string& key) const {
    expect(item.is_number_integer(), key, "a whole number", item);
    return item.get<int64_t>();
  }
  double number(const Json& item, const std::string& key) const {
    expect(item.is_number() || item.is_null(), key, "a number or null", item);
    return item.is_null() ? nan : item.get<double>();
  }
  std::string word(const Json& item, const std::string& key) const {
    expect(item.is_string(), key, "a string", item);
    return item.get<std::string>();
  }
  template <class V, class F>
  void each(const std::string& key, const About& about, std::vector<V>& value, F read) const {
    value.clear();
    const Json* found = find(key, about);
    if (found == nullptr) return;
    expect(found->is_array(), key, "an array", *found);
    for (const Json& item : *found) value.push_back(read(item));
  }
  void inside(const Json& json, const std::string& key, const List& list) const {
    ReadFields inner(json, file_, prefix_ + key + '.');
    list(inner);
  }

  const Json& json_;
  std::string file_, prefix_;
};

}  // namespace

Json read_record_json(const Path& file) {
  return parse_record(read_file(file), file.string());
}

Json parse_record(std::string_view text, const std::string& name) {
  Json json = parse_json(text);
  require(json.is_object(), "{}: is no JSON object: the file is damaged, or not one that absorb wrote", name);
  require(unseal(json), "{}: was changed or damaged: its checksum is of another content", name);
  if (!json.contains("format")) return json;
  require(json["format"].is_number_integer(), "{}: `format` must be a whole number but is {}", name,
          json["format"].dump());
  const auto format = json["format"].get<int64_t>();
  require(format >= 0 && format <= folder_format,
          "{}: is of format {}, and this absorb reads formats 0 to {}: use the absorb that wrote it, or a newer one",
          name, format, folder_format);
  return json;
}

void read_record_fields(const Json& json, const std::string& file, const RecordFields::List& list) {
  ReadFields reader(json, file, "");
  list(reader);
}

}  // namespace absorb
