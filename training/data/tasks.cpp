#include "training/data/tasks.h"

#include <fmt/format.h>
#include <torch/types.h>

#include <algorithm>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/files.h"
#include "core/random.h"
#include "training/data/rows.h"

namespace absorb {
namespace {

/// What the tasks share: everything but a sequence's content.
class Task : public Dataset {
 public:
  Task(std::string name, int64_t context, int64_t sequences, uint64_t seed)
      : name_(std::move(name)), context_(context), sequences_(sequences), seed_(seed) {}

  Batch batch(uint64_t seed, int64_t step, int64_t size, int64_t offset) const override {
    const uint64_t key = stream_key(seed, name_ + ".train");
    Rows rows(size, context_);
    for (int64_t row = 0; row < size; ++row)
      draw(row_random(key, step, offset + row), rows.tokens(row), rows.targets(row));
    return rows.batch();
  }

  int64_t evaluation_batches(Split split, int64_t size) const override {
    return split == Split::train ? 0 : (sequences_ + size - 1) / size;
  }

  Batch evaluation(Split split, int64_t index, int64_t size) const override {
    check_index(split, index, size);
    const uint64_t key = stream_key(seed_, fmt::format("{}.{}", name_, split_name(split)));
    Rows rows(size, context_);
    for (int64_t row = 0; row < size && index * size + row < sequences_; ++row)
      draw(row_random(key, 0, index * size + row), rows.tokens(row), rows.targets(row));
    return rows.batch();
  }

  Tensor document_ids(Split split, int64_t index, int64_t size) const override {
    const Tensor targets = evaluation(split, index, size).targets;
    const Tensor sequences = at::arange(index * size, (index + 1) * size, at::kLong).unsqueeze(1);
    return at::where(targets >= 0, sequences, at::full({}, -1, at::kLong));
  }

  int64_t context() const override { return context_; }
  int64_t tokens(Split split) const override { return split == Split::train ? 0 : sequences_ * context_; }
  double bytes_per_token(Split) const override { return 0.0; }
  std::string hash() const override { return hash_hex(fmt::format("{} seed {}", describe(), seed_)); }
  std::string describe() const override {
    return fmt::format("task {} ({}): {} tokens a sequence, {} held-out sequences", name_, sizes(), context_,
                       sequences_);
  }

 protected:
  virtual std::string sizes() const = 0;
  /// Fills one sequence of T tokens; targets are -1 before.
  virtual void draw(Random random, int64_t* tokens, int64_t* targets) const = 0;

 private:
  void check_index(Split split, int64_t index, int64_t size) const {
    check(index >= 0 && index < evaluation_batches(split, size), "no evaluation batch {} of {}", index,
          split_name(split));
  }

  std::string name_;
  int64_t context_, sequences_;
  uint64_t seed_;
};

int64_t below(Random& random, int64_t bound) {
  return static_cast<int64_t>(random.below(static_cast<uint64_t>(bound)));
}

class Recall final : public Task {
 public:
  Recall(const DataSettings& data, uint64_t seed)
      : Task("recall", 2 * data.pairs, data.sequences, seed),
        pairs_(data.pairs),
        values_(data.values),
        independent_(data.independent) {}

  int64_t vocabulary() const override { return pairs_ * (values_ + 1) + values_; }

 protected:
  std::string sizes() const override {
    return fmt::format("pairs {}, values {}{}", pairs_, values_, independent_ ? ", answers independent" : "");
  }

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

class Rule final : public Task {
 public:
  Rule(const DataSettings& data, uint64_t seed)
      : Task("rule", data.attributes + 2, data.sequences, seed),
        classes_(data.classes),
        attributes_(data.attributes),
        values_(data.values),
        answers_(data.answers),
        independent_(data.independent),
        table_(static_cast<std::size_t>(classes_ * attributes_ * values_ * answers_)) {
    Random random(stream_key(seed, "rule.table"));
    for (double& entry : table_) entry = random.gauss();
  }

  int64_t vocabulary() const override { return equals() + 1 + answers_; }

 protected:
  std::string sizes() const override {
    return fmt::format("classes {}, attributes {}, values {}, answers {}{}", classes_, attributes_, values_, answers_,
                       independent_ ? ", answers independent" : "");
  }

  void draw(Random random, int64_t* tokens, int64_t* targets) const override {
    const int64_t kind = below(random, classes_);
    std::vector<double> scores(static_cast<std::size_t>(answers_));
    *tokens++ = kind;
    for (int64_t i = 0; i < attributes_; ++i) {
      const int64_t value = below(random, values_);
      *tokens++ = classes_ + i * values_ + value;
      const double* row = &table_[static_cast<std::size_t>(((kind * attributes_ + i) * values_ + value) * answers_)];
      for (double& score : scores) score += *row++;
    }
    *tokens = equals();
    const int64_t answer =
        independent_ ? below(random, answers_) : std::max_element(scores.begin(), scores.end()) - scores.begin();
    targets[attributes_ + 1] = equals() + 1 + answer;
  }

 private:
  int64_t equals() const { return classes_ + attributes_ * values_; }

  int64_t classes_, attributes_, values_, answers_;
  bool independent_;
  std::vector<double> table_;  // [classes, attributes, values, answers]
};

}  // namespace

std::shared_ptr<const Dataset> make_recall(const DataSettings& data, uint64_t seed) {
  return std::make_shared<Recall>(data, seed);
}

std::shared_ptr<const Dataset> make_rule(const DataSettings& data, uint64_t seed) {
  return std::make_shared<Rule>(data, seed);
}

}  // namespace absorb
