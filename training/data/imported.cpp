#include "training/data/imported.h"

#include "core/error.h"

namespace absorb {
namespace {

class Imported final : public DataSource {
 public:
  explicit Imported(const ImportedSettings& data) : vocabulary_(data.vocabulary) {}
  int64_t vocabulary() const override { return vocabulary_; }
  std::shared_ptr<const Dataset> open(int64_t, uint64_t) const override {
    user_error("this model was imported and has no data of its own: `absorb evaluate` takes a text");
  }
  std::string sentence() const override { return "The model was trained elsewhere."; }

 private:
  int64_t vocabulary_;
};

}  // namespace

void fields(Fields& list, ImportedSettings& data) {
  list.field("vocabulary", data.vocabulary, {1, int64_t{1} << 32}, "Token ids are below it.");
}

void add_imported(DataSources& sources) {
  sources.add<ImportedSettings>("imported",
                                "no data: what `absorb import` writes of a model that was trained elsewhere",
                                [](const ImportedSettings& data) { return std::make_shared<Imported>(data); });
}

}  // namespace absorb
