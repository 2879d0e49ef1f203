#include "training/data/tasks/recall.h"

#include <fmt/format.h>

#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"

namespace absorb {
namespace {

class Recall final : public Task {
 public:
  Recall(const RecallSettings& data, uint64_t seed)
      : Task("recall", 2 * data.pairs, data.sequences, seed),
        pairs_(data.pairs),
        values_(data.values),
        independent_(data.independent) {}

  int64_t vocabulary() const override { return pairs_ * (values_ + 1) + values_; }

  void draw(Random random, int64_t* tokens, int64_t* targets) const override {
    std::vector<int64_t> value_of(static_cast<std::size_t>(pairs_));
    const auto shown = shuffled_keys(random), asked = shuffled_keys(random);
    for (const int64_t key : shown) {
      const int64_t value = below(random, values_);
      value_of[static_cast<std::size_t>(key)] = value;
      *tokens++ = key * values_ + value;
    }
    targets += pairs_;
    for (const int64_t key : asked) {
      *tokens++ = pairs_ * values_ + key;
      const int64_t answer = independent_ ? below(random, values_) : value_of[static_cast<std::size_t>(key)];
      *targets++ = pairs_ * (values_ + 1) + answer;
    }
  }

 protected:
  std::string sizes() const override {
    return fmt::format("pairs {}, values {}{}", pairs_, values_, independent_ ? ", answers independent" : "");
  }

 private:
  std::vector<int64_t> shuffled_keys(Random& random) const {
    std::vector<int64_t> keys(static_cast<std::size_t>(pairs_));
    std::iota(keys.begin(), keys.end(), 0);
    for (std::size_t i = keys.size(); i > 1; --i) std::swap(keys[i - 1], keys[random.below(i)]);
    return keys;
  }

  int64_t pairs_, values_;
  bool independent_;
};

class RecallSource final : public DataSource {
 public:
  explicit RecallSource(const RecallSettings& data) : data_(data) {}
  int64_t vocabulary() const override { return make_recall(data_, 0)->vocabulary(); }
  std::shared_ptr<const Dataset> open(int64_t context, uint64_t seed) const override {
    auto task = make_recall(data_, seed);
    require_context(*task, "recall", context);
    return task;
  }
  std::string sentence() const override { return task_sentence("recall", data_.sequences); }

 private:
  RecallSettings data_;
};

}  // namespace

void fields(Fields& list, RecallSettings& data) {
  list.field("pairs", data.pairs, {1, 4096}, "recall: keys, each shown once and asked for once.");
  values_field(list, data.values);
  task_fields(list, data.independent, data.sequences);
}

std::shared_ptr<const Task> make_recall(const RecallSettings& data, uint64_t seed) {
  return std::make_shared<Recall>(data, seed);
}

void add_recall(DataSources& sources) {
  sources.add<RecallSettings>("recall",
                              "a synthetic task with a known answer for attention: the value that a key was shown with",
                              [](const RecallSettings& data) { return std::make_shared<RecallSource>(data); });
}

}  // namespace absorb
