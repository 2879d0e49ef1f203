// A router, a selection and a routing loss in one file outside of absorb's tree. README.md says how to build and use
// it; docs/new-router.md and docs/extending.md say what each promises.
#include <absorb/router/route.h>
#include <absorb/studies/plugin/plugin.h>

#include <ATen/ATen.h>

#include <limits>

namespace mine {

using namespace absorb;

// Additive attention (arXiv:1409.0473): v_g . tanh(W_g x_t + U_g x_s); for experts v . tanh(W x_t + u_e). Its scores
// have no factors, so that it holds [B,G,T,C,R] numbers: for small models.
struct AdditiveSettings {
  int64_t rank = 4;
};

void fields(Fields& list, AdditiveSettings& settings) {
  list.field("rank", settings.rank, {1, 256}, "Hidden units of each routing group.");
}

// sd of tanh(z) for z ~ N(0, 1): what v is scaled by, so that scores start with the spread that is asked for.
constexpr double tanh_sd = 0.628;

class Additive final : public Router {
 public:
  Additive(const AdditiveSettings& settings, const RoutingTask& task, const Parameters& parameters)
      : task_(task), rank_(settings.rank) {
    const double half = std::sqrt(0.5);  // item and choice give half the variance of a hidden unit each
    const Init features = Init::normal(task.init_std(task.width, half));
    const int64_t rows = task.groups * rank_;
    item_ = parameters.add("item", {rows, task.width}, features, task.component);
    choice_ = task.attention() ? parameters.add("choice", {rows, task.width}, features, task.component)
                               : parameters.add("choice", {task.choices, rank_}, Init::normal(task.init_std(1, half)),
                                                task.component);
    out_ = parameters.add("out", {task.groups, rank_}, Init::normal(task.init_std(rank_, task.score_sd / tanh_sd)),
                          task.component);
  }

  Scores score(const RouterInput& input, const Pass&) const override {
    Scores scores = sized_scores(task_, input);
    const at::Tensor a = split_groups(at::linear(input.items, item_), task_.groups);  // [B,G,T,R]
    const at::Tensor b = task_.attention() ? split_groups(at::linear(input.choices, choice_), task_.groups)
                                           : choice_.view({1, 1, task_.choices, rank_});  // [B,G,C,R]
    const at::Tensor hidden = (a.unsqueeze(3) + b.unsqueeze(2)).tanh();                   // [B,G,T,C,R]
    scores.dense = (hidden * out_.view({1, task_.groups, 1, 1, rank_})).sum(-1);          // [B,G,T,C]
    return scores;
  }

  Cost cost(const RoutingTask& task) const override {
    const Cost item = product_cost(task.width, task.groups * rank_);
    const Cost out{.parameters = task.groups * rank_};
    const double score = 2.0 * static_cast<double>(task.groups * rank_);  // of one item with one choice: v . hidden
    if (task.attention()) return times(item, 2) + out + Cost{.pair_operations = score};
    const Cost centres{.parameters = task.choices * rank_, .operations = score * static_cast<double>(task.choices)};
    return item + out + centres;
  }

 private:
  RoutingTask task_;
  int64_t rank_;
  at::Tensor item_, choice_, out_;  // [G*R,D], [G*R,D] or [E,R], [G,R]
};

// Keeps the choices whose score is at least the mean of what the item may choose among.
class AboveMean final : public Selection {
 public:
  Routing select(Scores scores, const RoutingTask& task, const Pass&) const override {
    const at::Tensor values = dense(detached(scores));
    const at::Tensor visible = visible_mask(task.visible, values.size(-2), values.size(-1), values.device());
    const at::Tensor seen = visible.defined() ? visible.to(values.scalar_type()) : at::ones_like(values);
    const at::Tensor mean = (values * seen).sum(-1, true) / seen.sum(-1, true);
    // The best one is kept whatever rounding says of the mean: no item may be left without a choice.
    const at::Tensor best = values.masked_fill(seen == 0, -std::numeric_limits<double>::infinity()).amax(-1, true);
    const at::Tensor mask = (values >= mean).logical_or(values == best).logical_and(seen > 0);
    return {std::move(scores), KeepMask{mask}, Weight::softmax_kept, Gradient::weights, task.visible};
  }

  SelectionCost cost(const RoutingTask& task) const override { return cost_of_all(task); }  // nobody knows how many
};

// Mean entropy, in nats, of the softmax over what an item may choose among.
class Entropy final : public RoutingLoss {
 public:
  at::Tensor loss(const Routing& routing, const RouterInput&, const RoutingTask&) const override {
    const Scores& scores = routing.scores;
    const at::Tensor visible = visible_mask(routing.visible, scores.items_count, scores.choices_count, scores.device);
    at::Tensor values = dense(scores);
    if (visible.defined()) values = values.masked_fill(visible.logical_not(), -std::numeric_limits<double>::infinity());
    at::Tensor log_share = values.log_softmax(-1);
    // What can't be seen counts 0 before it is multiplied: 0 x -inf is NaN, and so would its gradient be.
    if (visible.defined()) log_share = log_share.masked_fill(visible.logical_not(), 0);
    const at::Tensor terms = log_share.exp() * log_share;
    return -terms.sum(-1).mean();
  }
};

}  // namespace mine

ABSORB_PLUGIN(types) {
  types.routers.add<mine::AdditiveSettings>(
      "additive", "v_h . tanh(W_h x_t + U_h x_s) per head; v . tanh(W x_t + u_e) for experts",
      [](const mine::AdditiveSettings& settings, const absorb::RoutingTask& task, absorb::Parameters parameters) {
        return std::make_shared<mine::Additive>(settings, task, parameters);
      });
  types.selections.add<absorb::NoSettings>("above_mean", "the choices whose score is at least the mean of the item's",
                                           [](const absorb::NoSettings&, const absorb::RoutingTask&,
                                              absorb::Parameters) { return std::make_shared<mine::AboveMean>(); });
  types.losses.add<absorb::LossSettings>(
      "entropy", "mean entropy of the softmax of the scores",
      [](const absorb::LossSettings&, const absorb::RoutingTask&) { return std::make_shared<mine::Entropy>(); });
}
