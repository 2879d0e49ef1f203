// What is checked of a selection in one role, for every combination of its choices and switches.
#include <torch/types.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "router/conformance/kit.h"

namespace absorb::conformance {
namespace {

/// One selection in one role.
class SelectionTrial {
 public:
  SelectionTrial(std::vector<Check>& list, const Registries& registries, std::string name, Role role)
      : checks(list, "selection", name, to_string(role)),
        role_(role),
        name_(std::move(name)),
        task_(task_for(role)),
        selections_(registries.selections),
        traits_(selections_.traits(name_)),
        fields_(selections_.fields_of(name_)),
        variants_(variants(fields_, resolve(), name_)) {}

  bool claim();  // false: nothing more can be asked
  void form();
  void hidden();
  void future();
  void stated();
  void gradients();
  void instances();
  void budget_and_ties();
  void refusals();
  void agreement(at::Device device);
  Checks checks;

 private:
  struct Built {
    Parameters parameters;
    std::shared_ptr<Selection> selection;
  };
  Resolve resolve() const {
    return [this](const Settings& table) { return selections_.resolve(table); };
  }
  Built build(const Typed& settings, uint64_t seed = 1, at::ScalarType dtype = at::kDouble) const {
    const Parameters parameters(seed, dtype);
    return {parameters, selections_.make(settings, task_, parameters.scope("site").scope("router"))};
  }
  Routing select(const Typed& settings, const Tensor& scores) const {
    return build(settings, 1, scores.scalar_type()).selection->select(scores_of(scores), task_, Pass());
  }
  Worst each_variant(const std::function<Worst(const Typed&)>& measure) const { return worst_of(variants_, measure); }
  bool has_field(const std::string& key) const { return std::ranges::count(fields_, key, &FieldDoc::key) > 0; }
  Typed with(const Typed& settings, const std::string& key, const Json& value) const {
    Json table = settings.table.value();
    set(table, key, value);
    return typed(resolve(), name_, table);
  }
  Worst flow(const Typed& variant, Gradient kind) const;
  Worst over_budget(const Typed& variant) const;
  Worst out_of_order(const Typed& variant) const;
  Instance instance(uint64_t seed) const;
  Tensor visible() const;

  Role role_;
  std::string name_;
  RoutingTask task_;
  const Selections& selections_;
  Selection::Traits traits_;
  std::vector<FieldDoc> fields_;
  std::vector<Typed> variants_;
};

bool SelectionTrial::claim() {
  const auto use = [this] { weights(select(variants_.at(0), spread_scores(role_, 1))); };
  if (!claims(traits_, role_)) {
    checks.add("claim", "whether a target that it has no form for is accepted", 0, [&] { return not_refused(use); });
    return false;
  }
  const bool works = checks.add("claim", "whether it fails for a target that it claims", 0, [&] {
    use();
    return Worst{};
  });
  if (works) drop_refused(variants_, [this](const Typed& variant) { select(variant, spread_scores(role_, 1)); });
  return works;
}

Tensor SelectionTrial::visible() const {
  const std::vector<int64_t> full = score_sizes(role_);
  const Tensor mask = visible_mask(task_.visible, full[2], full[3], at::kCPU);
  return (mask.defined() ? mask : at::ones({full[2], full[3]}, at::kBool)).expand(full);
}

void SelectionTrial::form() {
  checks.add("sizes", "whether weights aren't [B,G,T,C]", 0, [this] {
    return each_variant([this](const Typed& variant) {
      const Tensor w = weights(select(variant, spread_scores(role_, 1)));
      return Worst{w.sizes() == at::IntArrayRef(score_sizes(role_)) ? 0.0 : 1.0};
    });
  });
  checks.add("finite", "weights that are NaN, infinite or below 0", 0, [this] {
    return each_variant([this](const Typed& variant) {
      const Tensor w = weights(select(variant, spread_scores(role_, 1)));
      return Worst{static_cast<double>(w.isfinite().logical_and(w >= 0).logical_not().sum().item<int64_t>())};
    });
  });
}

void SelectionTrial::hidden() {
  if (role_ != Role::attention) return;
  checks.add("hidden", "largest weight of a choice that can't be seen", 0, [this] {
    return each_variant([this](const Typed& variant) {
      const Tensor w = weights(select(variant, spread_scores(role_, 1)));
      return Worst{w.masked_fill(visible(), 0).abs().max().item<double>()};
    });
  });
}

void SelectionTrial::future() {
  checks.add("future", "weights and kept choices of items that later scores change", 0, [this] {
    return each_variant([this](const Typed& variant) {
      return changed_by_future(*build(variant).selection, task_, spread_scores(role_, 1), spread_scores(role_, 2));
    });
  });
}

void SelectionTrial::stated() {
  const auto each = [this](const std::function<Worst(const Built&)>& measure) {
    return [this, measure] { return each_variant([&](const Typed& variant) { return measure(build(variant)); }); };
  };
  checks.add(
      "parameters as stated", "largest difference of cost(task) from the parameters that it adds", 0,
      each([this](const Built& built) { return unlike_stated(built.parameters, built.selection->cost(task_).own); }));
  if (role_ == Role::moe)
    checks.add("active as stated", "experts of an item that cost(task) states too many or too few of", 0,
               each([this](const Built& built) {
                 return active_unlike_stated(*built.selection, task_, spread_scores(role_, 1), traits_.budget);
               }));
  checks.add("reach as stated", "whether reaches_router() isn't what its routing's gradient says", 0,
             each([this](const Built& built) {
               const Routing routing = built.selection->select(scores_of(spread_scores(role_, 1)), task_, Pass());
               const bool reaches = routing.gradient != Gradient::none;
               return Worst{built.selection->reaches_router() == reaches ? 0.0 : 1.0};
             }));
}

// What should reach the scores, by what the routing itself says of its gradient; 0 for variants that say another thing.
Worst SelectionTrial::flow(const Typed& variant, Gradient kind) const {
  const Tensor scores = spread_scores(role_, 1).requires_grad_();
  if (select(variant, scores.detach()).gradient != kind) return {};
  const auto value = [&] { return summary(weights(select(variant, scores))); };
  std::function<Tensor()> reference = value;
  if (kind == Gradient::straight_through)
    reference = [&] { return summary(weights(softened(select(variant, scores)))); };
  const Derivatives found = differentiate({{"scores", scores}}, value, reference)[0];
  return {kind == Gradient::none ? found.autograd : found.error, ""};
}

void SelectionTrial::gradients() {
  const auto each = [this](Gradient kind) {
    return [this, kind] { return each_variant([this, kind](const Typed& variant) { return flow(variant, kind); }); };
  };
  checks.add("gradient", "largest difference from central differences", 1e-6, each(Gradient::weights));
  if (!has_field("gradient")) return;
  checks.add("no gradient", "largest derivative where gradient = \"none\"", 0, each(Gradient::none));
  checks.add("straight-through gradient", "largest difference from the soft routing's", 1e-6,
             each(Gradient::straight_through));
  checks.add("straight-through value", "largest difference from the hard weights", 1e-12, [this] {
    return each_variant([this](const Typed& variant) {
      Routing routing = select(variant, spread_scores(role_, 1));
      const Tensor found = weights(routing);
      routing.gradient = Gradient::none;
      return Worst{(found - weights(routing)).abs().max().item<double>()};
    });
  });
}

Instance SelectionTrial::instance(uint64_t seed) const {
  const Built built = build(variants_[0], seed);
  const auto select = [built, task = task_, scores = spread_scores(role_, 1)](const Pass& pass) {
    return built.selection->select(scores_of(scores), task, pass);
  };
  return {built.parameters, built.selection->has_state(), select,
          [](const Routing& routing) { return weights(routing); },
          [built](const Routing& routing) {
            built.selection->after_step({&routing, 1});
          }};
}

void SelectionTrial::instances() {
  const Build build_instance = [this](uint64_t seed) { return instance(seed); };
  check_determinism(checks, build_instance, sample(role_, {}), {});
  check_state(checks, build_instance, sample(role_, {}));
}

// min(k, visible) of every item, of distinct and of equal scores, before and after training steps move what it keeps.
Worst SelectionTrial::over_budget(const Typed& variant) const {
  Worst worst;
  for (const int64_t k : {1, 2, 3}) {
    const Built built = build(with(variant, "k", k));
    for (int step = 0; step < 4; ++step) {
      const Tensor spread = spread_scores(role_, step + 1);
      for (const Tensor& scores : {at::zeros_like(spread), spread}) {
        const Routing routing = built.selection->select(scores_of(scores), task_, Pass{.in = {.training = true}});
        if (routing.visible == Visible::causal_late) continue;  // spends its budget on the future, by design
        const Tensor mask = keep_mask(routing, scores);
        const Tensor kept = (mask.defined() ? mask.expand_as(scores) : at::ones_like(scores, at::kBool)).sum(-1);
        worst.add(differing(kept, visible().sum(-1).clamp_max(k)), fmt::format("k = {}, step {}", k, step));
        if (built.selection->has_state()) built.selection->after_step({&routing, 1});
      }
    }
  }
  return worst;
}

// All scores equal: nothing is kept while a choice of lower index that can be seen isn't, but for the own position,
// which is kept where the routing says so.
Worst SelectionTrial::out_of_order(const Typed& variant) const {
  const Tensor scores = at::full(score_sizes(role_), 0.25, at::kDouble);
  const Routing routing = select(variant, scores);
  if (routing.visible == Visible::causal_late) return {};
  Tensor kept = keep_mask(routing, scores);
  if (!kept.defined()) return {};
  kept = kept.expand_as(scores);
  Worst worst;
  const Tensor passed_over = visible().logical_and(kept.logical_not());
  if (const auto* top = std::get_if<KeepTop>(&routing.keep); top && top->self) {
    const Tensor own = at::eye(scores.size(-1), scores.options().dtype(at::kBool)).expand_as(scores);
    worst.add(static_cast<double>(own.logical_and(passed_over).sum().item<int64_t>()), "the own position isn't kept");
    kept = kept.logical_and(own.logical_not());
  }
  const Tensor lower = passed_over.to(at::kLong).cumsum(-1);
  worst.add(static_cast<double>(kept.logical_and(lower > 0).sum().item<int64_t>()), "not the lowest");
  return worst;
}

void SelectionTrial::budget_and_ties() {
  if (!traits_.budget) return;
  checks.add("budget", "items that don't keep min(k, visible) choices", 0, [this] {
    if (!has_field("k")) return Worst{1, "it claims a budget without a setting k"};
    return each_variant([this](const Typed& variant) { return over_budget(variant); });
  });
  checks.add("ties", "choices kept, of equal scores, before one of lower index", 0,
             [this] { return each_variant([this](const Typed& variant) { return out_of_order(variant); }); });
}

void SelectionTrial::refusals() {
  if (has_field("k"))
    checks.add("refuses k", "whether a k above the number of choices is taken", 0, [this] {
      const int64_t choices = score_sizes(role_)[3];
      return not_refused([&] { select(with(variants_[0], "k", choices + 1), spread_scores(role_, 1)); });
    });
  if (!has_field("gradient") || !has_field("weight")) return;
  checks.add("refuses senseless pairs", "straight-through variants whose surrogate has no derivative", 0, [this] {
    return each_variant([this](const Typed& variant) {
      const Tensor scores = spread_scores(role_, 1).requires_grad_();
      const Routing routing = select(variant, scores);
      if (routing.gradient != Gradient::straight_through) return Worst{};
      const auto soft = [&] { return summary(weights(softened(select(variant, scores)))); };
      return Worst{differentiate({{"scores", scores}}, soft)[0].numeric == 0 ? 1.0 : 0.0};
    });
  });
}

void SelectionTrial::agreement(at::Device device) {
  if (device.is_cpu()) return;
  checks.add("CPU and GPU", "largest |difference| of weights, in float; 1 for other kept choices", 1e-4, [&] {
    return each_variant([&](const Typed& variant) {
      at::NoGradGuard no_grad;
      const Tensor scores = spread_scores(role_, 1, at::kFloat), there = scores.to(device);
      const Routing here = select(variant, scores);
      const Built built = build(variant, 1, at::kFloat);
      built.parameters.gather(device);
      const Routing on_device = built.selection->select(scores_of(there), task_, Pass());
      const Tensor kept = keep_mask(here, scores);
      if (kept.defined() && !at::equal(kept, keep_mask(on_device, there).cpu())) return Worst{1, "kept choices"};
      return Worst{(weights(here) - weights(on_device).cpu()).abs().max().item<double>()};
    });
  });
}

}  // namespace

void check_selection(std::vector<Check>& list, const Registries& registries, const std::string& name, Role role,
                     at::Device device) {
  SelectionTrial trial(list, registries, name, role);
  if (!trial.claim()) return;
  trial.form();
  trial.hidden();
  trial.future();
  trial.stated();
  trial.gradients();
  trial.instances();
  trial.budget_and_ties();
  trial.refusals();
  trial.agreement(device);
}

}  // namespace absorb::conformance
