#include "studies/folder/fields/record_fields.h"

namespace absorb {
namespace {

class DocumentFields final : public RecordFields {
 public:
  std::vector<RecordFieldDoc> rows;

  void field(const std::string& key, int64_t&, const About& about) override { add(key, "whole number", about); }
  void field(const std::string& key, std::optional<int64_t>&, const About& about) override {
    add(key, "whole number", about);
  }
  void field(const std::string& key, double&, const About& about) override { add(key, "number or null", about); }
  void field(const std::string& key, bool&, const About& about) override { add(key, "true or false", about); }
  void field(const std::string& key, std::string&, const About& about) override { add(key, "string", about); }
  void field(const std::string& key, std::vector<double>&, const About& about) override { add(key, "numbers", about); }
  void field(const std::string& key, std::vector<std::string>&, const About& about) override {
    add(key, "strings", about);
  }
  void field(const std::string& key, std::map<std::string, double>&, const About& about) override {
    add(key, "numbers by name", about);
  }
  void field(const std::string& key, std::map<std::string, std::string>&, const About& about) override {
    add(key, "strings by name", about);
  }
  void record(const std::string& key, const List& list, const About& about) override {
    add(key, "object", about);
    inside(key + '.', list);
  }
  void records(const std::string& key, const Rows& records, const About& about) override {
    add(key, "array of objects", about);
    inside(key + "[].", records.blank);
  }
  void named(const std::string& key, const Named& entries, const About& about) override {
    add(key, "objects by name", about);
    inside(key + ".*.", entries.blank);
  }

 private:
  void add(const std::string& key, const char* type, const About& about) {
    rows.push_back({key, type, about.doc, about.may_lack, about.published.value_or(key)});
  }
  void inside(const std::string& prefix, const List& list) {
    for (RecordFieldDoc row : document_record(list)) {
      row.key = prefix + row.key;
      rows.push_back(std::move(row));
    }
  }
};

}  // namespace

std::vector<RecordFieldDoc> document_record(const RecordFields::List& list) {
  DocumentFields documenter;
  list(documenter);
  return std::move(documenter.rows);
}

}  // namespace absorb
