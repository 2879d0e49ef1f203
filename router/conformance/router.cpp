// What is checked of a router in one role.
#include <torch/types.h>

#include <cmath>

#include "core/error.h"
#include "router/conformance/kit.h"
#include "router/moments.h"

namespace absorb::conformance {
namespace {

/// One router in one role.
class RouterTrial {
 public:
  RouterTrial(std::vector<Check>& list, const Registries& registries, std::string name, Role role)
      : checks(list, "router", name, to_string(role)),
        role_(role),
        name_(std::move(name)),
        routers_(registries.routers),
        traits_(routers_.traits(name_)),
        variants_(variants(routers_.fields_of(name_), resolve(), name_)) {}

  void claim();
  bool claimed() const { return claims(traits_, role_); }
  bool works() const { return works_; }
  void sizes();
  void future();
  void stated();
  void gradients();
  void instances();
  void needs();
  void spread();
  void agreement(at::Device device);

  Checks checks;

 private:
  struct Built {
    Parameters parameters;
    std::shared_ptr<Router> router;
  };
  Resolve resolve() const {
    return [this](const Settings& table) { return routers_.resolve(table); };
  }
  Built build(const Typed& settings, uint64_t seed = 1, at::ScalarType dtype = at::kDouble) const {
    return build(settings, task_for(role_), Parameters(seed, dtype));
  }
  Built build(const Typed& settings, const RoutingTask& task, const Parameters& parameters) const {
    return {parameters, routers_.make(settings, task, parameters.scope("site").scope("router"))};
  }
  Sample try_on(int64_t draw = 1, at::ScalarType dtype = at::kDouble) const {
    return sample(role_, {.native = needs_native(traits_, role_), .draw = draw, .dtype = dtype});
  }
  Worst each_variant(const std::function<Worst(const Typed&)>& measure) const { return worst_of(variants_, measure); }
  Routing soft(const Scores& scores) const {
    return {scores, KeepAll{}, Weight::sigmoid, Gradient::weights, task_for(role_).visible};
  }
  std::vector<Derivatives> derivatives(const Typed& variant, bool of_parameters) const;
  Instance instance(uint64_t seed) const;
  double start_spread(double score_sd) const;

  Role role_;
  std::string name_;
  const Routers& routers_;
  Router::Traits traits_;
  std::vector<Typed> variants_;
  bool works_ = false;
};

void RouterTrial::claim() {
  const auto use = [this] {
    const Built built = build(variants_.at(0));
    const Sample on = try_on();
    dense(built.router->score(on.input, pass_over(on)));
  };
  if (!claimed()) {
    checks.add("claim", "whether a target that it has no form for is accepted", 0, [&] { return not_refused(use); });
    return;
  }
  works_ = checks.add("claim", "whether it fails for a target that it claims", 0, [&] {
    use();
    return Worst{};
  });
  if (works_) drop_refused(variants_, [this](const Typed& variant) { build(variant); });
}

void RouterTrial::sizes() {
  checks.add("sizes", "whether scores aren't [B,G,T,C], also of short sequences", 0, [this] {
    return each_variant([this](const Typed& variant) {
      Worst worst;
      for (const int64_t items : {Sizes{}.items, int64_t{7}, int64_t{1}}) {
        const Sizes sizes{.items = items};
        const Sample on = sample(role_, {.native = needs_native(traits_, role_), .sizes = sizes});
        const Tensor scores = dense(build(variant).router->score(on.input, pass_over(on)));
        worst.add(scores.sizes() == at::IntArrayRef(score_sizes(role_, sizes)) ? 0 : 1, fmt::format("T = {}", items));
      }
      return worst;
    });
  });
  checks.add("finite", "scores that are NaN or infinite", 0, [this] {
    return each_variant([this](const Typed& variant) {
      const Sample on = try_on();
      const Tensor scores = dense(build(variant).router->score(on.input, pass_over(on)));
      return Worst{static_cast<double>(scores.isfinite().logical_not().sum().item<int64_t>())};
    });
  });
}

void RouterTrial::future() {
  checks.add("future", "weights and kept choices of positions that later ones change", 0, [this] {
    return each_variant([this](const Typed& variant) {
      return changed_by_future(*build(variant).router, task_for(role_), try_on(1), try_on(2));
    });
  });
}

void RouterTrial::stated() {
  checks.add("parameters as stated", "largest difference of cost(task) from the parameters that it adds", 0, [this] {
    return each_variant([this](const Typed& variant) {
      Worst worst;
      for (const Sizes& sizes : {Sizes{}, Sizes{.items = 20, .width = 24, .groups = 3, .experts = 7}}) {
        const RoutingTask task = task_for(role_, sizes);
        const Built built = build(variant, task, Parameters(1));
        const Worst found = unlike_stated(built.parameters, built.router->cost(task));
        worst.add(found.value, found.where);
      }
      return worst;
    });
  });
}

std::vector<Derivatives> RouterTrial::derivatives(const Typed& variant, bool of_parameters) const {
  const Built built = build(variant);
  const Sample on = try_on();
  std::vector<std::pair<std::string, Tensor>> leaves;
  if (of_parameters)
    for (const Stored& stored : built.parameters.stored()) leaves.emplace_back(stored.name, stored.leaf);
  else
    leaves = tensors_of(on.input);
  for (auto& [name, leaf] : leaves) leaf.requires_grad_();
  return differentiate(leaves, [&] { return summary(weights(soft(built.router->score(on.input, pass_over(on))))); });
}

Worst largest_error(const std::vector<Derivatives>& found) {
  Worst worst;
  for (const Derivatives& d : found) worst.add(d.error, d.leaf);
  return worst;
}

Worst largest_derivative(const std::vector<Derivatives>& found) {
  Worst worst;
  for (const Derivatives& d : found) worst.add(std::max(d.autograd, d.numeric), d.leaf);
  return worst;
}

void RouterTrial::gradients() {
  const auto each = [this](bool of_parameters, Worst (*judge)(const std::vector<Derivatives>&)) {
    return [this, of_parameters, judge] {
      return each_variant([&](const Typed& variant) { return judge(derivatives(variant, of_parameters)); });
    };
  };
  if (traits_.learns) {
    checks.add("gradient to parameters", "largest difference from central differences", 1e-6,
               each(true, largest_error));
    checks.add("parameters matter", "parameters that no weight depends on", 0, each(true, [](const auto& found) {
                 Worst worst{found.empty() ? 1.0 : 0.0, "it has none"};
                 for (const Derivatives& d : found) worst.add(d.numeric == 0 ? 1 : 0, d.leaf);
                 return worst;
               }));
  } else {
    checks.add("gradient to parameters", "largest derivative of a router that doesn't learn", 0,
               each(true, largest_derivative));
  }
  if (!traits_.reads_input) {
    checks.add("gradient to input", "largest derivative of a router that doesn't read its input", 0,
               each(false, largest_derivative));
    return;
  }
  checks.add("gradient to input", "largest difference from central differences", 1e-6, each(false, largest_error));
  checks.add("input matters", "whether no weight depends on the input", 0, each(false, [](const auto& found) {
               return Worst{largest_derivative(found).value == 0 ? 1.0 : 0.0, "every derivative is 0"};
             }));
}

Instance RouterTrial::instance(uint64_t seed) const {
  const Built built = build(variants_[0], seed);
  const Sample on = try_on();
  const auto route = [built, on, visible = task_for(role_).visible](const Pass& pass) -> Routing {
    const Scores scores = built.router->score(on.input, pass);
    return {scores, top_k(dense(scores), 2, visible, false), Weight::softmax_kept, Gradient::weights, visible};
  };
  return {built.parameters, built.router->has_state(), route,
          [](const Routing& routing) { return dense(routing.scores); },
          [built, on](const Routing& routing) {
            built.router->after_step(std::vector<Routed>{{on.input, routing}});
          }};
}

void RouterTrial::instances() {
  const Build build_instance = [this](uint64_t seed) { return instance(seed); };
  check_determinism(checks, build_instance, try_on(), {.draws = traits_.draws, .tokens = traits_.tokens});
  check_state(checks, build_instance, try_on());
}

void RouterTrial::needs() {
  if (traits_.tokens)
    checks.add("needs tokens", "whether it does without a number of token ids", 0, [this] {
      RoutingTask task = task_for(role_);
      task.vocabulary = 0;
      return not_refused([&] { build(variants_[0], task, Parameters(1)); });
    });
  const std::string what = role_ == Role::attention ? "the layer's own scores" : "measured gains";
  const auto scores = [this](bool native) {
    const Sample on = sample(role_, {.native = native});
    return dense(build(variants_[0]).router->score(on.input, pass_over(on)));
  };
  if (needs_native(traits_, role_)) {
    checks.add("needs", "whether it does without " + what, 0, [&] { return not_refused([&] { scores(false); }); });
    return;
  }
  checks.add("needs", "scores that change with " + what, 0, [&] {
    return Worst{differing(scores(false), scores(true)), "it doesn't claim to need them"};
  });
}

// Mean over draws of the sd of the visible scores.
double RouterTrial::start_spread(double score_sd) const {
  constexpr uint64_t draws = 8;
  const Sizes sizes{.batch = 4, .items = 64, .width = 32, .groups = 2, .experts = 64};
  RoutingTask task = task_for(role_, sizes);
  task.score_sd = score_sd;
  const Sample on = sample(role_, {.native = needs_native(traits_, role_), .sizes = sizes, .dtype = at::kFloat});
  double sum = 0;
  for (uint64_t seed = 1; seed <= draws; ++seed) {
    const Built built = build(variants_[0], task, Parameters(seed));
    sum += moments(built.router->score(on.input, pass_over(on)), task.visible)[1].mean().item<double>();
  }
  return sum / draws;
}

void RouterTrial::spread() {
  if (!traits_.learns) return;
  checks.add("score spread", "relative distance of the scores' sd at the start from score_sd", 0.35, [this] {
    at::NoGradGuard no_grad;
    Worst worst;
    for (const double sd : {0.5, 1.0, 2.0}) {
      const double found = start_spread(sd);
      worst.add(std::abs(found / sd - 1), fmt::format("{:.3f} where score_sd = {}", found, sd));
    }
    return worst;
  });
}

void RouterTrial::agreement(at::Device device) {
  if (device.is_cpu()) return;
  checks.add("CPU and GPU", "largest |difference| / (1 + |score|), in float", 1e-4, [&] {
    return each_variant([&](const Typed& variant) {
      at::NoGradGuard no_grad;
      const Sample on = try_on(1, at::kFloat);
      const Tensor here = dense(build(variant, 1, at::kFloat).router->score(on.input, pass_over(on)));
      const Built there = build(variant, 1, at::kFloat);
      there.parameters.gather(device);
      const Sample moved_on = moved(on, device);
      const Tensor found = dense(there.router->score(moved_on.input, pass_over(moved_on))).cpu();
      return Worst{((found - here).abs() / (here.abs() + 1)).max().item<double>()};
    });
  });
}

}  // namespace

void check_router(std::vector<Check>& list, const Registries& registries, const std::string& name, Role role,
                  at::Device device) {
  RouterTrial trial(list, registries, name, role);
  trial.claim();
  if (!trial.works()) return;  // one line says so; the others would all say it again
  trial.sizes();
  trial.future();
  trial.stated();
  trial.gradients();
  trial.instances();
  trial.needs();
  trial.spread();
  trial.agreement(device);
}

}  // namespace absorb::conformance
