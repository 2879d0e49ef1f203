#include "studies/plan/matching.h"

#include "core/error.h"
#include "training/optimiser/rates.h"

namespace absorb {
namespace {

double quantity(const Size& size, const std::string& match) {
  return match == "active_flops" ? size.flops_per_token : static_cast<double>(size.parameters.unique);
}

Routes build(const RunSettings& run, int64_t vocabulary, const Parameters& parameters) {
  const Target target = target_named(run.target);
  parameters.count_only();
  const Model model(run.model, vocabulary, target.moe, parameters);
  return make_routes(model, target, run.attention, run.moe, parameters);
}

}  // namespace

Routes counted_routes(const RunSettings& run, int64_t vocabulary) {
  return build(run, vocabulary, Parameters(0));
}

Size size_of(const RunSettings& run, int64_t vocabulary) {
  const Parameters parameters(0);
  const Routes routes = build(run, vocabulary, parameters);
  select_trained(parameters, run.training);
  Size size;
  size.parameters = parameters.counts();
  size.cost = model_cost(run.model, vocabulary, target_named(run.target).moe, routes);
  // A token sees half of the context on average.
  size.flops_per_token = size.cost.whole().operations_with(static_cast<double>(run.model.context) / 2);
  return size;
}

Matched match_to_dense(RunSettings& run, const std::string& match, int64_t vocabulary) {
  RunSettings dense = run;
  dense.target = "dense";
  keep_native_unless_routed(dense);
  const Target target = target_named(run.target);
  run.model.feed_forward = dense.model.feed_forward = hidden_width(run.model);
  int64_t& width = target.moe ? run.model.moe.hidden : run.model.feed_forward;
  const bool solves = match != "none" && run.target != "dense" && !(target.moe && width > 0);
  if (target.moe) width = expert_width(run.model);
  const double goal = quantity(size_of(dense, vocabulary), match);
  if (solves) {
    // Sizes are affine in the width: two points give the line, and its nearest whole width is checked.
    const auto at = [&](int64_t w) {
      width = w;
      return quantity(size_of(run, vocabulary), match);
    };
    const double base = at(1), slope = at(2) - base;
    const auto solved = 1 + std::llround((goal - base) / slope);
    require(solved >= 1,
            "study.match = \"{}\": the routers of target {} alone are larger than what they replace: lower "
            "their rank, or set study.match = \"none\"",
            match, run.target);
    width = solved;
  }
  Matched matched{run.target, target.moe ? 0 : width, target.moe ? width : 0, size_of(run, vocabulary), 0};
  matched.difference = quantity(matched.size, match) / goal - 1;
  return matched;
}

}  // namespace absorb
