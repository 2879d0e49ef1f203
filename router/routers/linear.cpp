#include "router/routers/linear.h"

#include <torch/types.h>

#include "tensors/linear/linear.h"

namespace absorb {
namespace {

class Linear final : public Router {
 public:
  Linear(const RoutingTask& task, const Parameters& parameters) : task_(task) {
    const int64_t rows = task.attention() ? task.groups : task.choices;
    weight_ = parameters.add("weight", {rows, task.width}, Init::normal(task.init_std(task.width, task.score_sd)),
                             task.component, task.input);
  }

  Scores score(const RouterInput& input, const Pass& pass) const override {
    Scores scores = sized_scores(task_, input);
    if (task_.attention()) {
      scores.choices = split_groups(linear(input.choices, weight_, pass), task_.groups);  // [B,G,C,1]
      scores.items = at::ones({1, task_.groups, scores.items_count, 1}, scores.choices.options());
    } else {
      scores.dense = linear(input.items, weight_, pass).unsqueeze(1);  // [B,1,T,E]
    }
    return scores;
  }

  Cost cost(const RoutingTask& task) const override {
    return product_cost(task.width, task.attention() ? task.groups : task.choices);
  }

 private:
  RoutingTask task_;
  Tensor weight_;  // [G,D] or [E,D]
};

}  // namespace

void add_linear(Routers& routers) {
  routers.add<NoSettings>("linear", "w_h . x_s per head; W x_t for experts",
                          [](const NoSettings&, const RoutingTask& task, Parameters parameters) {
                            return std::make_shared<Linear>(task, parameters);
                          });
}

}  // namespace absorb
