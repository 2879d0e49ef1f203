#include "router/routers/bilinear.h"

#include <torch/types.h>

#include "tensors/linear/linear.h"

namespace absorb {
namespace {

class Bilinear final : public Router {
 public:
  Bilinear(const BilinearSettings& settings, const RoutingTask& task, const Parameters& parameters)
      : task_(task), rank_(settings.rank) {
    // Unit-variance items give factors of variance D std^2, hence scores of sd D std_a std_b (science.md, trap 1).
    const double sd = task.score_sd;
    const Init factor = Init::normal(task.init_std(task.width, task.attention() ? std::sqrt(sd) : 1));
    query_ = parameters.add("query", {task.groups * rank_, task.width}, factor, task.component, task.input);
    if (task.attention())
      key_ = parameters.add("key", {task.groups * rank_, task.width}, factor, task.component, task.input);
    else
      table_ = parameters.add("table", {task.choices, rank_}, Init::normal(task.init_std(1, sd)), task.component);
  }

  Scores score(const RouterInput& input, const Pass& pass) const override {
    Scores scores = sized_scores(task_, input);
    const Tensor query = linear(input.items, query_, pass);
    const double scale = 1.0 / std::sqrt(rank_);
    if (!task_.attention()) {  // [T,E] is small and asked for several times: one product, not one a question
      scores.dense = at::linear(query, table_ * scale).unsqueeze(1);
      return scores;
    }
    scores.items = split_groups(query, task_.groups);
    scores.choices = split_groups(linear(input.choices, key_, pass), task_.groups);
    scores.factor = scale;
    return scores;
  }

  Cost cost(const RoutingTask& task) const override {
    const Cost query = product_cost(task.width, task.groups * rank_);
    if (!task.attention()) return query + product_cost(rank_, task.choices);
    return times(query, 2) + Cost{.pair_operations = 2.0 * static_cast<double>(task.groups * rank_)};
  }

 private:
  RoutingTask task_;
  int64_t rank_;
  Tensor query_, key_, table_;  // [G*R,D], [G*R,D], [E,R]
};

}  // namespace

void fields(Fields& list, BilinearSettings& settings) {
  list.field("rank", settings.rank, {1, 4096}, "Inner width r of the score, per routing group.");
}

void add_bilinear(Routers& routers) {
  routers.add<BilinearSettings>("bilinear",
                                "(W_a x_t) . (W_b x_s) / sqrt(r) per head; (W_a x_t) . u_e / sqrt(r) for experts",
                                [](const BilinearSettings& settings, const RoutingTask& task, Parameters parameters) {
                                  return std::make_shared<Bilinear>(settings, task, parameters);
                                });
}

}  // namespace absorb
