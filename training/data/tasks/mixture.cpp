#include "training/data/tasks/mixture.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "core/error.h"

namespace absorb {
namespace {

using Parts = std::vector<std::shared_ptr<const Task>>;

Parts make_parts(const MixtureSettings& data, uint64_t seed) {
  Parts parts;
  for (const std::string& name : data.of) {
    require(name == "recall" || name == "codes" || name == "rule",
            "data.of names \"{}\"; a mixture is of recall, codes and rule", name);
    parts.push_back(name == "recall"  ? make_recall(data.recall, seed)
                    : name == "codes" ? make_codes(data.codes, seed)
                                      : make_rule(data.rule, seed));
  }
  require(std::set<std::string>(data.of.begin(), data.of.end()).size() == data.of.size() && data.of.size() > 1,
          "data.of has to name two tasks or more, each once; it names {}", fmt::join(data.of, ", "));
  return parts;
}

int64_t longest(const Parts& parts) {
  int64_t context = 0;
  for (const auto& part : parts) context = std::max(context, part->context());
  return context;
}

int64_t sequences_of(const Parts& parts) {
  int64_t sequences = 0;
  for (const auto& part : parts) sequences += part->sequences();
  return sequences;
}

class Mixture final : public Task {
 public:
  Mixture(Parts parts, uint64_t seed)
      : Task("mixture", longest(parts), sequences_of(parts), seed), parts_(std::move(parts)) {}

  int64_t vocabulary() const override {
    int64_t ids = 0;
    for (const auto& part : parts_) ids += part->vocabulary();
    return ids;
  }

  void draw(Random random, int64_t* tokens, int64_t* targets) const override {
    int64_t drawn = below(random, sequences()), first = 0;
    std::size_t at = 0;
    for (; drawn >= parts_[at]->sequences(); ++at) {
      drawn -= parts_[at]->sequences();
      first += parts_[at]->vocabulary();
    }
    const Task& part = *parts_[at];
    part.draw(random, tokens, targets);
    for (int64_t i = 0; i < part.context(); ++i) {
      tokens[i] += first;
      if (targets[i] >= 0) targets[i] += first;
    }
  }

 protected:
  std::string sizes() const override {
    std::vector<std::string> texts;
    for (const auto& part : parts_) texts.push_back(part->describe());
    return fmt::format("{}", fmt::join(texts, "; "));
  }

 private:
  Parts parts_;
};

class MixtureSource final : public DataSource {
 public:
  explicit MixtureSource(const MixtureSettings& data) : data_(data) {}
  void require_valid() const override { make_parts(data_, 0); }
  int64_t vocabulary() const override { return make_mixture(data_, 0)->vocabulary(); }
  std::shared_ptr<const Dataset> open(int64_t context, uint64_t seed) const override {
    auto task = make_mixture(data_, seed);
    require_context(*task, "mixture", context);
    return task;
  }
  bool belongs_to_seed() const override { return true; }
  std::string sentence() const override {
    return fmt::format("Each sequence is one of the synthetic tasks {}. {}", fmt::join(data_.of, " and "),
                       task_sentence("mixture", make_mixture(data_, 0)->sequences()));
  }

 private:
  MixtureSettings data_;
};

}  // namespace

void fields(Fields& list, MixtureSettings& data) {
  list.field(
      "of", data.of,
      "mixture: the tasks, of recall, codes and rule; a sequence is of one of them, drawn in proportion to their "
      "`sequences`.");
  nested(list, "recall", data.recall, "mixture: as `type = \"recall\"` takes them.");
  nested(list, "codes", data.codes, "mixture: as `type = \"codes\"` takes them.");
  nested(list, "rule", data.rule, "mixture: as `type = \"rule\"` takes them.");
}

std::shared_ptr<const Task> make_mixture(const MixtureSettings& data, uint64_t seed) {
  return std::make_shared<Mixture>(make_parts(data, seed), seed);
}

void add_mixture(DataSources& sources) {
  sources.add<MixtureSettings>("mixture", "sequences of several synthetic tasks, in known proportion",
                               [](const MixtureSettings& data) { return std::make_shared<MixtureSource>(data); });
}

}  // namespace absorb
