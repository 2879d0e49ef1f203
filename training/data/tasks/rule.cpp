#include "training/data/tasks/rule.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"

namespace absorb {
namespace {

class Rule final : public Task {
 public:
  Rule(const RuleSettings& data, uint64_t seed)
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

 protected:
  std::string sizes() const override {
    return fmt::format("classes {}, attributes {}, values {}, answers {}{}", classes_, attributes_, values_, answers_,
                       independent_ ? ", answers independent" : "");
  }

 private:
  int64_t equals() const { return classes_ + attributes_ * values_; }

  int64_t classes_, attributes_, values_, answers_;
  bool independent_;
  std::vector<double> table_;  // [classes, attributes, values, answers]
};

class RuleSource final : public DataSource {
 public:
  explicit RuleSource(const RuleSettings& data) : data_(data) {}
  int64_t vocabulary() const override { return make_rule(data_, 0)->vocabulary(); }
  std::shared_ptr<const Dataset> open(int64_t context, uint64_t seed) const override {
    auto task = make_rule(data_, seed);
    require_context(*task, "rule", context);
    return task;
  }
  bool belongs_to_seed() const override { return true; }
  std::string sentence() const override { return task_sentence("rule", data_.sequences); }

 private:
  RuleSettings data_;
};

}  // namespace

void fields(Fields& list, RuleSettings& data) {
  values_field(list, data.values);
  list.field("classes", data.classes, {1, 4096}, "rule: classes, each with a table of its own.");
  list.field("attributes", data.attributes, {1, 4096}, "rule: attribute tokens in a sequence.");
  list.field("answers", data.answers, {2, 4096}, "rule: possible answers.");
  task_fields(list, data.independent, data.sequences);
}

std::shared_ptr<const Task> make_rule(const RuleSettings& data, uint64_t seed) {
  return std::make_shared<Rule>(data, seed);
}

void add_rule(DataSources& sources) {
  sources.add<RuleSettings>("rule",
                            "a synthetic task with a known answer for experts: every class has a table of its own",
                            [](const RuleSettings& data) { return std::make_shared<RuleSource>(data); });
}

}  // namespace absorb
