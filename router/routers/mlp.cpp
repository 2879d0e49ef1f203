#include "router/routers/mlp.h"

#include <torch/types.h>

#include "tensors/linear/linear.h"

namespace absorb {
namespace {

// Var gelu(z) for z ~ N(0, 1): what the second layer is scaled by, so that scores start with the spread asked for.
constexpr double gelu_variance = 0.3456;

class Mlp final : public Router {
 public:
  Mlp(const MlpSettings& settings, const RoutingTask& task, const Parameters& parameters)
      : task_(task), width_(settings.hidden) {
    const int64_t rows = task.attention() ? task.groups : task.choices;
    hidden_ = parameters.add("hidden", {settings.hidden, task.width}, Init::normal(task.init_std(task.width, 1)),
                             task.component, task.input);
    out_ = parameters.add("out", {rows, settings.hidden},
                          Init::normal(task.init_std(settings.hidden, task.score_sd / std::sqrt(gelu_variance))),
                          task.component);
  }

  Scores score(const RouterInput& input, const Pass& pass) const override {
    Scores scores = sized_scores(task_, input);
    const Tensor& x = task_.attention() ? input.choices : input.items;
    const Tensor y = linear(at::gelu(linear(x, hidden_, pass)), out_, pass);  // [B,C,G] or [B,T,E]
    if (task_.attention()) {
      scores.choices = split_groups(y, task_.groups);  // [B,G,C,1]
      scores.items = at::ones({1, task_.groups, scores.items_count, 1}, y.options());
    } else {
      scores.dense = y.unsqueeze(1);  // [B,1,T,E]
    }
    return scores;
  }

  Cost cost(const RoutingTask& task) const override {
    return product_cost(task.width, width_) + product_cost(width_, task.attention() ? task.groups : task.choices);
  }

 private:
  RoutingTask task_;
  int64_t width_;
  Tensor hidden_, out_;  // [F,D], [G,F] or [E,F]
};

}  // namespace

void fields(Fields& list, MlpSettings& settings) {
  list.field("hidden", settings.hidden, {1, 1 << 16}, "Hidden width, shared by the routing groups.");
}

void add_mlp(Routers& routers) {
  routers.add<MlpSettings>("mlp", "w_h . gelu(A x_s) per head; W gelu(A x_t) for experts",
                           [](const MlpSettings& settings, const RoutingTask& task, Parameters parameters) {
                             return std::make_shared<Mlp>(settings, task, parameters);
                           });
}

}  // namespace absorb
