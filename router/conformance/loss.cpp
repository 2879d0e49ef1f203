// What is checked of a routing loss in one role.
#include <torch/types.h>

#include <cmath>

#include "core/error.h"
#include "router/conformance/kit.h"

namespace absorb::conformance {
namespace {

/// One routing loss in one role.
class LossTrial {
 public:
  LossTrial(std::vector<Check>& list, const Registries& registries, std::string name, Role role)
      : checks(list, "loss", name, to_string(role)),
        role_(role),
        name_(std::move(name)),
        task_(task_for(role)),
        losses_(registries.losses),
        traits_(losses_.traits(name_)),
        variants_(variants(losses_.fields_of(name_), resolve(), name_)) {}

  void claim();
  bool works() const { return works_; }
  void values();
  void needs();
  void balance();
  void agreement(at::Device device);

  Checks checks;

 private:
  Resolve resolve() const {
    return [this](const Settings& table) { return losses_.resolve(table); };
  }
  Tensor loss(const Typed& settings, const Routing& routing, bool native) const {
    const at::ScalarType dtype = routing.scores.dense.scalar_type();
    const Sample on = moved(sample(role_, {.native = native, .dtype = dtype}), routing.scores.device);
    return losses_.make(settings, task_)->loss(routing, on.input, task_);
  }
  Tensor loss(const Typed& settings, const Routing& routing) const {
    return loss(settings, routing, needs_native(traits_, role_));
  }
  // The routings that a loss may meet: soft, and a budget with weights of either kind.
  std::vector<Routing> routings(const Tensor& scores) const {
    const Scores s = scores_of(scores);
    const KeepTop top = top_k(scores, 2, task_.visible, false);
    return {{s, KeepAll{}, Weight::sigmoid, Gradient::weights, task_.visible},
            {s, top, Weight::softmax_kept, Gradient::weights, task_.visible},
            {s, top, Weight::sigmoid, Gradient::weights, task_.visible}};
  }
  Worst each(const Tensor& scores, const std::function<Worst(const Typed&, std::size_t routing)>& measure) const {
    Worst worst;
    for (const Typed& variant : variants_)
      for (std::size_t i = 0; i < routings(scores).size(); ++i) {
        const Worst found = measure(variant, i);
        worst.add(found.value, fmt::format("{}routing {}; {}", found.where, i, short_text(variant, variants_[0])));
      }
    return worst;
  }
  Worst not_finite(const Tensor& scores) const;
  Worst wrong_gradient(const Tensor& scores) const;
  Routing one_each(double gain) const;

  Role role_;
  std::string name_;
  RoutingTask task_;
  const RoutingLosses& losses_;
  RoutingLoss::Traits traits_;
  std::vector<Typed> variants_;
  bool works_ = false;
};

void LossTrial::claim() {
  const auto use = [this] { loss(variants_.at(0), routings(spread_scores(role_, 1))[0]); };
  if (!claims(traits_, role_)) {
    checks.add("claim", "whether a target that it has no form for is accepted", 0, [&] { return not_refused(use); });
    return;
  }
  works_ = checks.add("claim", "whether it fails for a target that it claims", 0, [&] {
    use();
    return Worst{};
  });
}

// Values and elements of gradients that are NaN or infinite.
Worst LossTrial::not_finite(const Tensor& scores) const {
  return each(scores, [&](const Typed& variant, std::size_t i) {
    const Tensor leaf = scores.clone().requires_grad_();
    const Tensor value = loss(variant, routings(leaf)[i]);
    check(value.dim() == 0, "a loss is a scalar, not of {} dimensions", value.dim());
    if (!value.isfinite().item<bool>()) return Worst{1, "the value; "};
    if (!value.requires_grad()) return Worst{};
    value.backward();
    const Tensor& gradient = leaf.grad();
    if (!gradient.defined()) return Worst{};
    return Worst{static_cast<double>(gradient.isfinite().logical_not().sum().item<int64_t>()), "gradient; "};
  });
}

Worst LossTrial::wrong_gradient(const Tensor& scores) const {
  return each(scores, [&](const Typed& variant, std::size_t i) {
    const Tensor leaf = scores.clone().requires_grad_();
    const auto value = [&] { return loss(variant, routings(leaf)[i]); };
    return Worst{differentiate({{"scores", leaf}}, value)[0].error};
  });
}

void LossTrial::values() {
  checks.add("finite", "values and derivatives that are NaN or infinite", 0,
             [this] { return not_finite(spread_scores(role_, 1)); });
  checks.add("finite at ties", "the same where all scores are equal", 0,
             [this] { return not_finite(at::zeros(score_sizes(role_), at::kDouble)); });
  checks.add("gradient", "largest difference from central differences", 1e-6,
             [this] { return wrong_gradient(spread_scores(role_, 1)); });
  checks.add("determinism", "values that differ for the same routing", 0, [this] {
    const Tensor scores = spread_scores(role_, 1);
    return each(scores, [&](const Typed& variant, std::size_t i) {
      return Worst{differing(loss(variant, routings(scores)[i]), loss(variant, routings(scores)[i]))};
    });
  });
}

void LossTrial::needs() {
  const std::string what = role_ == Role::attention ? "the layer's own scores" : "measured gains";
  const Routing routing = routings(spread_scores(role_, 1))[0];
  if (needs_native(traits_, role_)) {
    checks.add("needs", "whether it does without " + what, 0,
               [&] { return not_refused([&] { loss(variants_[0], routing, false); }); });
    return;
  }
  checks.add("needs", "values that change with " + what, 0, [&] {
    return Worst{differing(loss(variants_[0], routing, false), loss(variants_[0], routing, true)),
                 "it doesn't claim to need them"};
  });
}

// Top-1 routing in which every expert gets the same tokens and the same probability: position t prefers expert t mod E.
Routing LossTrial::one_each(double gain) const {
  const std::vector<int64_t> full = score_sizes(role_);
  const Tensor preferred = at::one_hot(at::arange(full[2], at::kLong).remainder(full[3]), full[3]).to(at::kDouble);
  const Tensor scores = (preferred * gain).expand(full).clone().requires_grad_();
  return {scores_of(scores), top_k(scores, 1, task_.visible, false), Weight::softmax_kept, Gradient::weights,
          task_.visible};
}

// Known values of a balance loss (science.md section 2).
void LossTrial::balance() {
  if (!traits_.one_at_balance) return;
  checks.add("balanced", "largest |loss - 1| where every expert serves the same", 1e-9, [this] {
    Worst worst;
    for (const double gain : {0.5, 3.0}) {
      const Routing routing = one_each(gain);
      const Tensor value = loss(variants_[0], routing);
      worst.add(std::abs(value.item<double>() - 1), fmt::format("scores {} apart", gain));
      value.backward();
      worst.add(routing.scores.dense.grad().isfinite().all().item<bool>() ? 0 : 1, "its gradient isn't finite");
    }
    return worst;
  });
  checks.add("can't be shut", "what lowering all scores by 5 gains, with sigmoid weights", 1e-3, [this] {
    // Expert 0 is ahead, so that there is an imbalance to hide.
    Tensor scores = spread_scores(role_, 1);
    scores.select(-1, 0).add_(0.3);
    return Worst{
        (loss(variants_[0], routings(scores)[2]) - loss(variants_[0], routings(scores - 5)[2])).item<double>()};
  });
}

void LossTrial::agreement(at::Device device) {
  if (device.is_cpu()) return;
  checks.add("CPU and GPU", "largest |difference| / (1 + |loss|), in float", 1e-4, [&] {
    at::NoGradGuard no_grad;
    const Tensor scores = spread_scores(role_, 1, at::kFloat), there = scores.to(device);
    return each(scores, [&](const Typed& variant, std::size_t i) {
      const double a = loss(variant, routings(scores)[i]).item<double>();
      return Worst{std::abs(loss(variant, routings(there)[i]).item<double>() - a) / (1 + std::abs(a))};
    });
  });
}

}  // namespace

void check_loss(std::vector<Check>& list, const Registries& registries, const std::string& name, Role role,
                at::Device device) {
  LossTrial trial(list, registries, name, role);
  trial.claim();
  if (!trial.works()) return;
  trial.values();
  trial.needs();
  trial.balance();
  trial.agreement(device);
}

}  // namespace absorb::conformance
