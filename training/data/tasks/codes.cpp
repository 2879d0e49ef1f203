#include "training/data/tasks/codes.h"

#include <fmt/format.h>

#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"

namespace absorb {
namespace {

class Codes final : public Task {
 public:
  Codes(const CodesSettings& data, uint64_t seed)
      : Task("codes", data.positions + (data.asked == "last" ? 1 : 0), data.sequences, seed),
        positions_(data.positions),
        values_(data.values),
        at_last_(data.asked == "last"),
        independent_(data.independent),
        symbols_(static_cast<std::size_t>(positions_ * values_)) {
    Random random(stream_key(seed, "codes.table"));
    for (int64_t p = 0; p < positions_; ++p) {
      int64_t* code = &symbols_[static_cast<std::size_t>(p * values_)];
      std::iota(code, code + values_, 0);
      for (int64_t i = values_; i > 1; --i) std::swap(code[i - 1], code[below(random, i)]);
    }
  }

  int64_t vocabulary() const override { return 2 * values_ + 1; }

  void draw(Random random, int64_t* tokens, int64_t* targets) const override {
    int64_t meant = below(random, values_);
    for (int64_t p = 0; p < positions_; ++p) {
      if (!at_last_ && p > 0) meant = below(random, values_);
      *tokens++ = symbols_[static_cast<std::size_t>(p * values_ + meant)];
      if (!at_last_) *targets++ = answer(random, meant);
    }
    if (!at_last_) return;
    *tokens = values_;
    targets[positions_] = answer(random, meant);
  }

 protected:
  std::string sizes() const override {
    return fmt::format("positions {}, values {}, asked {}{}", positions_, values_, at_last_ ? "last" : "each",
                       independent_ ? ", answers independent" : "");
  }

 private:
  int64_t answer(Random& random, int64_t meant) const {
    return values_ + 1 + (independent_ ? below(random, values_) : meant);
  }

  int64_t positions_, values_;
  bool at_last_, independent_;
  std::vector<int64_t> symbols_;  // [positions, values]: what position p shows for a value
};

class CodesSource final : public DataSource {
 public:
  explicit CodesSource(const CodesSettings& data) : data_(data) {}
  int64_t vocabulary() const override { return make_codes(data_, 0)->vocabulary(); }
  std::shared_ptr<const Dataset> open(int64_t context, uint64_t seed) const override {
    auto task = make_codes(data_, seed);
    require_context(*task, "codes", context);
    return task;
  }
  bool belongs_to_seed() const override { return true; }
  std::string sentence() const override { return task_sentence("codes", data_.sequences); }

 private:
  CodesSettings data_;
};

}  // namespace

void fields(Fields& list, CodesSettings& data) {
  list.field("positions", data.positions, {1, 4096}, "codes: positions, each with a code of its own.");
  values_field(list, data.values);
  list.field("asked", data.asked, {"each", "last"},
             "codes: every position for its own symbol (experts), or the last one for what all show (attention).");
  task_fields(list, data.independent, data.sequences);
}

std::shared_ptr<const Task> make_codes(const CodesSettings& data, uint64_t seed) {
  return std::make_shared<Codes>(data, seed);
}

void add_codes(DataSources& sources) {
  sources.add<CodesSettings>("codes",
                             "a synthetic task in which any fixed routing helps and no content can: a code a position",
                             [](const CodesSettings& data) { return std::make_shared<CodesSource>(data); });
}

}  // namespace absorb
