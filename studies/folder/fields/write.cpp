#include <cmath>

#include "studies/folder/fields/record_fields.h"

namespace absorb {
namespace {

Json number(double value) {
  return std::isfinite(value) ? Json(value) : Json(nullptr);
}

class WriteFields final : public RecordFields {
 public:
  explicit WriteFields(bool publishes) : publishes_(publishes) {}
  Json out = Json::object();

  void field(const std::string& key, int64_t& value, const About& about) override { put(key, value, false, about); }
  void field(const std::string& key, std::optional<int64_t>& value, const About& about) override {
    put(key, value ? Json(*value) : Json(nullptr), !value, about);
  }
  void field(const std::string& key, double& value, const About& about) override {
    put(key, number(value), !std::isfinite(value), about);
  }
  void field(const std::string& key, bool& value, const About& about) override { put(key, value, false, about); }
  void field(const std::string& key, std::string& value, const About& about) override {
    put(key, value, value.empty(), about);
  }
  void field(const std::string& key, std::vector<double>& value, const About& about) override {
    Json numbers = Json::array();
    for (const double each : value) numbers.push_back(number(each));
    put(key, std::move(numbers), value.empty(), about);
  }
  void field(const std::string& key, std::vector<std::string>& value, const About& about) override {
    put(key, value, value.empty(), about);
  }
  void field(const std::string& key, std::map<std::string, double>& value, const About& about) override {
    Json numbers = Json::object();
    for (const auto& [name, each] : value) numbers[name] = number(each);
    put(key, std::move(numbers), value.empty(), about);
  }
  void field(const std::string& key, std::map<std::string, std::string>& value, const About& about) override {
    put(key, value, value.empty(), about);
  }
  void record(const std::string& key, const List& list, const About& about) override {
    put(key, inside(list), false, about);
  }
  void records(const std::string& key, const Rows& rows, const About& about) override {
    Json array = Json::array();
    for (std::size_t i = 0; i < rows.size; ++i)
      array.push_back(inside([&](RecordFields& inner) { rows.row(i, inner); }));
    put(key, std::move(array), rows.size == 0, about);
  }
  void named(const std::string& key, const Named& entries, const About& about) override {
    Json object = Json::object();
    for (const std::string& name : entries.names)
      object[name] = inside([&](RecordFields& inner) { entries.entry(name, inner); });
    put(key, std::move(object), entries.names.empty(), about);
  }

 private:
  Json inside(const List& list) const {
    WriteFields inner(publishes_);
    list(inner);
    return std::move(inner.out);
  }
  void put(const std::string& key, Json value, bool nothing, const About& about) {
    const std::string name = publishes_ ? about.published.value_or(key) : key;
    if (name.empty() || (!publishes_ && nothing && about.may_lack)) return;
    out[name] = std::move(value);
  }
  bool publishes_;
};

/// Walks the plain fields of a record and of records in it; arrays and maps are passed by.
class PlainFields : public RecordFields {
 public:
  void field(const std::string& key, int64_t& value, const About& about) override { plain(key, value, about); }
  void field(const std::string& key, std::optional<int64_t>& value, const About& about) override {
    plain(key, value ? Json(*value) : Json(nullptr), about);
  }
  void field(const std::string& key, double& value, const About& about) override { plain(key, number(value), about); }
  void field(const std::string& key, bool& value, const About& about) override { plain(key, value, about); }
  void field(const std::string& key, std::string& value, const About& about) override { plain(key, value, about); }
  void field(const std::string&, std::vector<double>&, const About&) override {}
  void field(const std::string&, std::vector<std::string>&, const About&) override {}
  void field(const std::string&, std::map<std::string, double>&, const About&) override {}
  void field(const std::string&, std::map<std::string, std::string>&, const About&) override {}
  void record(const std::string&, const List&, const About&) override {}
  void records(const std::string&, const Rows&, const About&) override {}
  void named(const std::string&, const Named&, const About&) override {}

 protected:
  virtual void plain(const std::string& key, Json value, const About& about) = 0;
};

class ColumnFields final : public PlainFields {
 public:
  std::vector<std::pair<std::string, Json>> out;

  void record(const std::string& key, const List& list, const About& about) override {
    const std::string name = about.published.value_or(key);
    if (name.empty()) return;
    for (auto& [inner, value] : column_fields(list)) out.emplace_back(name + '_' + inner, std::move(value));
  }

 protected:
  void plain(const std::string& key, Json value, const About& about) override {
    const std::string name = about.published.value_or(key);
    if (!name.empty()) out.emplace_back(name, std::move(value));
  }
};

class NumberFields final : public PlainFields {
 public:
  std::vector<double*> out;
  using PlainFields::field;
  void field(const std::string&, double& value, const About&) override { out.push_back(&value); }

 protected:
  void plain(const std::string&, Json, const About&) override {}
};

}  // namespace

Json write_record_fields(const RecordFields::List& list) {
  WriteFields writer(false);
  list(writer);
  return std::move(writer.out);
}

Json published_fields(const RecordFields::List& list) {
  WriteFields writer(true);
  list(writer);
  return std::move(writer.out);
}

std::vector<std::pair<std::string, Json>> column_fields(const RecordFields::List& list) {
  ColumnFields columns;
  list(columns);
  return std::move(columns.out);
}

std::vector<double*> number_fields(const RecordFields::List& list) {
  NumberFields numbers;
  list(numbers);
  return std::move(numbers.out);
}

}  // namespace absorb
