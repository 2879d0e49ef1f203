// What the files of the conformance kit share: inputs to try a type on, the variants of its settings, central
// differences, and the list that checks are collected in. For conformance*.cpp alone.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "router/conformance/conformance.h"

namespace absorb::conformance {

enum class Role { attention, moe };
std::string to_string(Role role);

template <class Traits>
bool claims(const Traits& traits, Role role) {
  return role == Role::attention ? traits.attention : traits.moe;
}
/// Whether the layer's own scores (attention) or the measured gains (experts) have to be there.
template <class Traits>
bool needs_native(const Traits& traits, Role role) {
  return role == Role::attention ? traits.native : traits.gains;
}

struct Sizes {
  int64_t batch = 2, items = 12, width = 8, groups = 2, experts = 4;
};
RoutingTask task_for(Role role, const Sizes& sizes = {});
/// Sizes of its scores: [B,G,T,C].
std::vector<int64_t> score_sizes(Role role, const Sizes& sizes = {});

/// What a type is asked with.
struct Sample {
  RouterInput input;
  Tensor tokens;  // [B,T]
};
struct SampleOptions {
  bool native = false;
  int64_t draw = 1;
  Sizes sizes = {};
  at::ScalarType dtype = at::kDouble;
};
/// Unit-variance features, random tokens and, where asked for, native scores: the same at every call.
Sample sample(Role role, const SampleOptions& options);
/// `past` up to position t, `future` after it.
Sample spliced(const Sample& past, const Sample& future, int64_t t);
Sample moved(const Sample& sample, at::Device device);
/// The tensors of an input that scores may depend on, by name.
std::vector<std::pair<std::string, Tensor>> tensors_of(const RouterInput& input);
Pass pass_over(const Sample& sample, int64_t step = 1, bool training = false);

/// Scores [B,G,T,C] without ties: neighbours of a row lie 0.13 apart or more, and none is near 0.
Tensor spread_scores(Role role, int64_t draw, at::ScalarType dtype = at::kDouble);

/// The worst of what one check measured, and where that was. NaN is worst of all.
struct Worst {
  double value = 0;
  std::string where = {};
  void add(double found, const std::string& at = "");
};

class Checks {
 public:
  Checks(std::vector<Check>& list, std::string kind, std::string type, std::string role)
      : list_(list), kind_(std::move(kind)), type_(std::move(type)), role_(std::move(role)) {}
  /// Adds the check `name`. `what` says what `measure` measures; what `measure` throws fails the check.
  /// Returns whether it passed.
  bool add(const std::string& name, const std::string& what, double bound, const std::function<Worst()>& measure);

 private:
  std::vector<Check>& list_;
  std::string kind_, type_, role_;
};

/// 0 when `call` throws a UserError of one line; otherwise 1, and what it did instead.
Worst not_refused(const std::function<void()>& call);
/// How many elements differ in any way; all of them when the sizes do.
double differing(const Tensor& a, const Tensor& b);

/// Derivatives of a scalar with respect to one leaf, over a sample of at most 40 of its elements.
struct Derivatives {
  std::string leaf;
  double error = 0;     // largest |autograd - central difference|
  double autograd = 0;  // largest of all elements
  double numeric = 0;   // largest of the sampled ones
};
/// `value` is differentiated by autograd, `reference` (the same function, unless said otherwise) by central
/// differences.
std::vector<Derivatives> differentiate(const std::vector<std::pair<std::string, Tensor>>& leaves,
                                       const std::function<Tensor()>& value, std::function<Tensor()> reference = {});
/// A fixed random linear function of weights, so that no derivative cancels.
Tensor summary(const Tensor& weights);

/// Measures every variant (the first holds the defaults) and names the worst.
Worst worst_of(const std::vector<Typed>& variants, const std::function<Worst(const Typed&)>& measure);

using Resolve = std::function<Typed(const Settings&)>;
/// Settings of a type as study files would write them; UserError when they aren't legal.
Typed typed(const Resolve& resolve, const std::string& name, Json settings = Json::object());
/// The defaults first; then every combination of its choices and switches, each also with its whole numbers set to 5.
/// What isn't legal is left out.
std::vector<Typed> variants(const std::vector<FieldDoc>& fields, const Resolve& resolve, const std::string& name);
/// Takes out the variants, but for the defaults, that `make` refuses with a UserError: combinations without sense.
/// (What else it throws, the checks of that variant say.)
void drop_refused(std::vector<Typed>& variants, const std::function<void(const Typed&)>& make);
/// The settings that differ from the defaults, for messages.
std::string short_text(const Typed& variant, const Typed& defaults);
/// Sets `key`, whose dots make tables in tables.
void set(Json& settings, const std::string& key, const Json& value);
/// Low and high end of a documented range; empty when it isn't one.
std::vector<double> limits(const FieldDoc& field);

/// A router or selection as the checks of determinism, saving and state see it.
struct Instance {
  Parameters parameters;
  bool has_state = false;
  std::function<Routing(const Pass&)> route;       // of a fixed input
  std::function<Tensor(const Routing&)> value;     // what is compared of a routing: scores or weights
  std::function<void(const Routing&)> after_step;  // what follows a training step
  Tensor run(const Pass& pass) const { return value(route(pass)); }
};
struct InstanceTraits {
  bool draws = false;   // fresh numbers at every step
  bool tokens = false;  // reads token ids
};
using Build = std::function<Instance(uint64_t seed)>;

void check_determinism(Checks& checks, const Build& build, const Sample& sample, const InstanceTraits& traits);
void check_state(Checks& checks, const Build& build, const Sample& sample);
/// Elements of weights and kept choices up to a position that change, for any position, in evaluation or in training,
/// when everything after it does; nothing of one that says it isn't causal. `past` and `future`: scores without ties.
Worst changed_by_future(const Router& router, const RoutingTask& task, const Sample& past, const Sample& future);
Worst changed_by_future(const Selection& selection, const RoutingTask& task, const Tensor& past, const Tensor& future);

/// |added - stated| parameters.
Worst unlike_stated(const Parameters& parameters, const Cost& cost);
/// 0 where the selection states as many active experts as its routing of `scores` needs: what an item keeps, or all of
/// them for a straight-through derivative. Without a budget it may state more.
Worst active_unlike_stated(const Selection& selection, const RoutingTask& task, const Tensor& scores, bool budget);

void check_settings(Checks& checks, const std::string& name, const std::vector<FieldDoc>& fields,
                    const Resolve& resolve);

void check_router(std::vector<Check>& list, const Registries& registries, const std::string& name, Role role,
                  at::Device device);
void check_selection(std::vector<Check>& list, const Registries& registries, const std::string& name, Role role,
                     at::Device device);
void check_loss(std::vector<Check>& list, const Registries& registries, const std::string& name, Role role,
                at::Device device);

}  // namespace absorb::conformance
