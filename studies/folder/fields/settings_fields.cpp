#include "studies/folder/fields/settings_fields.h"

#include "core/error.h"

namespace absorb {
namespace {

class ToRecord final : public Fields {
 public:
  explicit ToRecord(RecordFields& list) : list_(list) {}

  void field(const std::string& key, int64_t& value, Range<int64_t>, std::string_view doc) override {
    list_.field(key, value, About(doc));
  }
  void field(const std::string& key, double& value, Range<double>, std::string_view doc) override {
    list_.field(key, value, About(doc));
  }
  void field(const std::string& key, bool& value, std::string_view doc) override {
    list_.field(key, value, About(doc));
  }
  // A word that a later absorb added is absent from what an earlier one wrote.
  void field(const std::string& key, std::string& value, std::string_view doc) override {
    list_.field(key, value, About(doc).optional());
  }
  void field(const std::string& key, std::string& value, const std::vector<std::string>&,
             std::string_view doc) override {
    list_.field(key, value, About(doc));
  }
  void field(const std::string& key, std::vector<std::string>& value, std::string_view doc) override {
    list_.field(key, value, About(doc));
  }
  void field(const std::string& key, std::map<std::string, double>& value, Range<double>,
             std::string_view doc) override {
    list_.field(key, value, About(doc));
  }
  void field(const std::string& key, std::vector<int64_t>&, Range<int64_t>, std::string_view) override { refuse(key); }
  void table(const std::string& key, const std::function<void(Fields&)>&, std::string_view) override { refuse(key); }
  void typed(const std::string& key, Typed&, const std::function<Typed(const Settings&)>&, std::string_view) override {
    refuse(key);
  }
  void tables(const std::string& key, std::map<std::string, Typed>&,
              const std::function<Typed(const std::string&, const Settings&)>&, const std::vector<std::string>&,
              std::string_view) override {
    refuse(key);
  }

 private:
  [[noreturn]] static void refuse(const std::string& key) {
    throw InternalError("a record holds plain settings alone, and `" + key + "` is none");
  }
  RecordFields& list_;
};

}  // namespace

void walk_settings(RecordFields& list, const std::function<void(Fields&)>& settings) {
  ToRecord walker(list);
  settings(walker);
}

}  // namespace absorb
