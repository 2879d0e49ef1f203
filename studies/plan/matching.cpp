#include "studies/plan/matching.h"

#include "core/error.h"
#include "training/rates.h"

namespace absorb {
namespace {

// Operations of the routed layers that aren't plain parameter products.
double active_share(const RunSettings& run) {
  const Json& selection = run.moe.selection.table.value();
  if (run.moe.selection.type != "top_k") return 1;
  if (selection.at("gradient") == "straight_through") return 1;
  return selection.at("k").get<double>() / static_cast<double>(run.model.moe.experts);
}

double quantity(const Size& size, const std::string& match) {
  return match == "active_flops" ? size.flops_per_token : static_cast<double>(size.parameters.unique);
}

}  // namespace

Size size_of(const RunSettings& run, int64_t vocabulary) {
  const Target target = target_named(run.target);
  const Parameters parameters(0);
  parameters.count_only();
  const Model model(run.model, vocabulary, target.moe, parameters);
  make_routes(model, target, run.attention, run.moe, parameters);
  select_trained(parameters, run.training);
  Size size;
  size.parameters = parameters.counts();
  const double active = target.moe ? active_share(run) : 1;
  for (const Stored& stored : parameters.stored())
    for (const Slice& slice : stored.slices) {
      const Part part = slice.component.part;
      if (part == Part::norm || (part == Part::embedding && slice.component.index == 1)) continue;
      const int64_t columns = stored.leaf.size(0) == 0 ? 0 : stored.leaf.numel() / stored.leaf.size(0);
      const double n = 2.0 * static_cast<double>(slice.rows * columns);  // the tied embedding counts as the head
      size.flops_per_token += part == Part::expert ? n * active : n;
    }
  // Attention over half of the context on average: QK^T and PV; a factored router adds its scores.
  const auto context = static_cast<double>(run.model.context), width = static_cast<double>(run.model.width);
  size.flops_per_token += static_cast<double>(run.model.layers) * 2 * context * width;
  if (target.attention && run.attention.router.table.value().contains("rank"))
    size.flops_per_token += static_cast<double>(run.model.layers * run.model.heads) * context *
                            run.attention.router.table.value()["rank"].get<double>();
  return size;
}

Matched match_to_dense(RunSettings& run, const std::string& match, int64_t vocabulary) {
  RunSettings dense = run;
  dense.target = "dense";
  const Target target = target_named(run.target);
  if (run.model.feed_forward == 0) run.model.feed_forward = dense.model.feed_forward = 4 * run.model.width;
  int64_t& width = target.moe ? run.model.moe.hidden : run.model.feed_forward;
  const bool solves = match != "none" && run.target != "dense" && !(target.moe && width > 0);
  if (target.moe && width == 0) width = std::max<int64_t>(run.model.feed_forward / run.model.moe.experts, 1);
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
