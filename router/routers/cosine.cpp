#include "router/routers/cosine.h"

#include <torch/types.h>

#include "tensors/linear/linear.h"

namespace absorb {
namespace {

class Cosine final : public Router {
 public:
  Cosine(const CosineSettings& settings, const RoutingTask& task, const Parameters& parameters)
      : task_(task), rank_(settings.rank) {
    const int64_t rank = rank_;
    const Init factor = Init::normal(task.init_std(task.width, 1));
    query_ = parameters.add("query", {task.groups * rank, task.width}, factor, task.component, task.input);
    if (task.attention())
      key_ = parameters.add("key", {task.groups * rank, task.width}, factor, task.component, task.input);
    else
      table_ = parameters.add("table", {task.choices, rank}, Init::normal(1), task.component);
    scale_ = parameters.add("scale", {task.groups}, Init::ones(), task.component);
    // The cosine of two independent directions in r dimensions has sd 1 / sqrt(r).
    start_ = (task.score_sd == 0 ? 1 : task.score_sd) * std::sqrt(static_cast<double>(rank));
  }

  Scores score(const RouterInput& input, const Pass& pass) const override {
    Scores scores = sized_scores(task_, input);
    scores.items = unit(split_groups(linear(input.items, query_, pass), task_.groups)) *
                   (scale_ * start_).view({1, task_.groups, 1, 1});
    const Tensor choices = task_.attention() ? split_groups(linear(input.choices, key_, pass), task_.groups)
                                             : table_.view({1, 1, task_.choices, -1});
    scores.choices = unit(choices);
    if (!task_.attention()) scores = materialised(scores);  // [T,E] is small and asked for several times
    return scores;
  }

  Cost cost(const RoutingTask& task) const override {
    const Cost query = product_cost(task.width, task.groups * rank_);
    const Cost scale{.parameters = task.groups, .operations = 2.0 * static_cast<double>(task.groups)};
    if (!task.attention()) return query + product_cost(rank_, task.choices) + scale;
    return times(query, 2) + scale + Cost{.pair_operations = 2.0 * static_cast<double>(task.groups * rank_)};
  }

 private:
  // The floor is far below any length that features have, and keeps the gradient of an all-zero one finite.
  static Tensor unit(const Tensor& x) { return x * (x.square().sum(-1, true) + 1e-12).rsqrt(); }
  RoutingTask task_;
  int64_t rank_;
  double start_ = 1;
  Tensor query_, key_, table_, scale_;  // [G*R,D], [G*R,D], [E,R], [G]
};

}  // namespace

void fields(Fields& list, CosineSettings& settings) {
  list.field("rank", settings.rank, {1, 4096}, "Dimensions of the factors whose cosine is taken, per routing group.");
}

void add_cosine(Routers& routers) {
  routers.add<CosineSettings>("cosine", "cosine of the bilinear factors, times a learned scale",
                              [](const CosineSettings& settings, const RoutingTask& task, Parameters parameters) {
                                return std::make_shared<Cosine>(settings, task, parameters);
                              });
}

}  // namespace absorb
