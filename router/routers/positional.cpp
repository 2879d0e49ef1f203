#include "router/routers/positional.h"

#include <torch/types.h>

#include "core/error.h"

namespace absorb {
namespace {

class Positional final : public Router {
 public:
  Positional(const PositionalSettings& settings, const RoutingTask& task, const Parameters& parameters)
      : task_(task), period_(settings.period) {
    const Init init = Init::normal(task.init_std(1, task.score_sd));
    if (task.attention()) {
      require(task.context > 0, "router \"positional\" needs the length of a sequence: this task doesn't state one");
      table_ = parameters.add("distance", {task.groups, task.context}, init, task.component);
    } else {
      table_ = parameters.add("phase", {period_, task.choices}, init, task.component);
    }
  }

  Scores score(const RouterInput& input, const Pass&) const override {
    Scores scores = sized_scores(task_, input);
    const int64_t items = scores.items_count;
    // Windows and repeats, not an index: their gradients are sums in a fixed order, on a GPU too.
    if (task_.attention()) {
      // |t - s|: the future is hidden, or, where it is chosen among (causal_late), as near as the past.
      const Tensor past = table_.narrow(1, 0, items);                                // [G,T]
      const Tensor line = at::cat({past.narrow(1, 1, items - 1).flip(1), past}, 1);  // [G,2T-1]
      scores.dense = line.unfold(1, items, 1).flip(1).unsqueeze(0);                  // [1,G,T,T]
    } else {
      const Tensor cycles = table_.repeat({(items + period_ - 1) / period_, 1});
      scores.dense = cycles.narrow(0, 0, items).view({1, 1, items, task_.choices});
    }
    return scores;
  }

  Cost cost(const RoutingTask& task) const override {
    return {.parameters = task.attention() ? task.groups * task.context : period_ * task.choices};
  }

 private:
  RoutingTask task_;
  int64_t period_;
  Tensor table_;  // [G,T] or [period,E]
};

}  // namespace

void fields(Fields& list, PositionalSettings& settings) {
  list.field("period", settings.period, {1, 1 << 20}, "Experts: length of the table over t mod period.");
}

void add_positional(Routers& routers) {
  routers.add<PositionalSettings>(
      "positional", "a learned function of t - s per head; a learned table over t mod period for experts",
      [](const PositionalSettings& settings, const RoutingTask& task, Parameters parameters) {
        return std::make_shared<Positional>(settings, task, parameters);
      },
      {.reads_input = false});
}

}  // namespace absorb
