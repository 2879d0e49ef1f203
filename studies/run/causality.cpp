#include "studies/run/causality.h"

#include <torch/types.h>

#include "core/error.h"
#include "studies/run/live_run.h"

namespace absorb {
namespace {

constexpr int64_t vocabulary = 61, batch = 2, least_context = 16, most_layers = 2, most_hidden = 16;
constexpr double rounding = 1e-9;  // of double, with the products of several layers in between

// The run's routing of one kind, alone: what the other kind is allowed must not count against this one.
RunSettings twin_of(const RunSettings& run, const std::string& kind, int64_t context) {
  RunSettings twin = run;
  twin.target = kind;
  twin.model.context = context;
  twin.model.dropout = 0;  // experts draw it by place among the sorted tokens, which later ones move
  twin.model.layers = std::min(run.model.layers, most_layers);
  twin.model.feed_forward = most_hidden;
  twin.model.moe.hidden = std::min(std::max<int64_t>(run.model.moe.hidden, 1), most_hidden);
  twin.attention.moments_of.clear();
  twin.moe.moments_of.clear();
  twin.training.train.clear();  // patterns may name what the twin has none of
  twin.training.rates.clear();
  twin.training.freeze.clear();
  twin.training.thaw.clear();
  twin.start = {};
  return twin;
}

Tensor random_tokens(const std::string& name, int64_t context) {
  const Tensor drawn = uniform({stream_key(1, "causality/" + name), {}}, {batch, context + 1}, at::kCPU);
  return (drawn * static_cast<double>(vocabulary)).to(at::kLong).clamp_max(vocabulary - 1);
}

// What one pass shows: the weights of every site, [B,G,T,C], and the losses, [B,T].
struct Seen {
  std::vector<std::pair<Site, Tensor>> weights;
  Tensor losses;
};

class Twin {
 public:
  explicit Twin(const RunSettings& settings)
      : context_(settings.model.context),
        past_(random_tokens("past", context_)),
        future_(random_tokens("future", context_)),
        run_(settings, vocabulary, at::kCPU, nullptr, at::kDouble) {
    // Initial values hide what a zero multiplies.
    at::NoGradGuard no_grad;
    for (const Stored& stored : run_.parameters().stored()) {
      const Tensor& leaf = stored.leaf;
      const int64_t inputs = leaf.numel() / leaf.size(0);
      const double sd = leaf.dim() < 2 ? 0.1 : 1 / std::sqrt(static_cast<double>(inputs));
      leaf.detach().add_(gauss({stream_key(1, "causality/" + stored.name), {}}, leaf.sizes(), at::kCPU), sd);
    }
  }

  int64_t context() const { return context_; }
  Seen look(bool training) const { return look(past_, training); }

  // One pass over sequences [B,T+1].
  Seen look(const Tensor& sequences, bool training) const {
    at::NoGradGuard no_grad;
    Seen seen;
    Routes watched = run_.routes();
    watched.observe = [&seen](const Site& site, const Routing& routing, const RouterInput&) {
      seen.weights.emplace_back(site, weights(routing).detach().clone());
    };
    Pass pass{.in = {.training = training, .seed = 1, .step = at::zeros({}, at::kLong)}};
    seen.losses =
        run_.losses(watched)({sequences.narrow(1, 0, context_), sequences.narrow(1, 1, context_)}, pass).detach();
    return seen;
  }

  // The site where what stands after position t, tokens and targets, changes how positions up to t are routed, or "the
  // loss" where it changes a loss before t, whose own target is such a token; empty where nothing changes.
  std::string leak(const Seen& before, int64_t t, bool training) const {
    const Tensor both = at::cat({past_.narrow(1, 0, t + 1), future_.narrow(1, t + 1, context_ - t)}, 1);
    const Seen after = look(both, training);
    for (std::size_t i = 0; i < before.weights.size(); ++i) {
      const auto& [site, weights] = before.weights[i];
      if (differ(weights.narrow(2, 0, t + 1), after.weights.at(i).second.narrow(2, 0, t + 1))) return site;
    }
    return differ(before.losses.narrow(1, 0, t), after.losses.narrow(1, 0, t)) ? "the loss" : "";
  }

 private:
  static bool differ(const Tensor& a, const Tensor& b) {
    return !((a - b).abs() <= rounding * (1 + a.abs())).all().item<bool>();  // NaN differs
  }
  int64_t context_;
  Tensor past_, future_;  // [B,T+1]
  LiveRun run_;
};

// At twice the least context that the routing takes, so that a budget has something to leave out.
Twin small_twin(const RunSettings& run, const std::string& kind) {
  const int64_t most = run.model.context;
  for (int64_t context = std::min(least_context, most);; context = std::min(2 * context, most)) {
    try {
      Twin(twin_of(run, kind, context)).look(false);
      return Twin(twin_of(run, kind, std::min(2 * context, most)));
    } catch (const UserError&) {
      if (context == most) throw;
    }
  }
}

void require_causal(const RunSettings& run, const std::string& kind, const RoutingSettings& routing) {
  if (routing.allow_noncausal) return;
  const Twin twin = small_twin(run, kind);
  for (const bool training : {false, true}) {
    const Seen before = twin.look(training);
    for (const int64_t part : {1, 2}) {
      const std::string site = twin.leak(before, twin.context() * part / 3, training);
      require(site.empty(),
              "{}: later tokens change how earlier ones are routed{} (router \"{}\", selection \"{}\"), so that losses "
              "know their future: `absorb conform` says more; if it is meant, set routing.{}.allow_noncausal = true, "
              "which tables and pages will say",
              site, training ? " in training" : "", routing.router.type, routing.selection.type, kind);
    }
  }
}

}  // namespace

void require_causal(const RunSettings& run) {
  const Target target = target_named(run.target);
  if (target.attention) require_causal(run, "attention", run.attention);
  if (target.moe) require_causal(run, "moe", run.moe);
}

}  // namespace absorb
