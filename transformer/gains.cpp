#include "transformer/gains.h"

#include <torch/csrc/autograd/autograd.h>
#include <torch/types.h>

#include <limits>

#include "core/error.h"

namespace absorb {
namespace {

Pass evaluation(const Pass& pass) {
  return {.in = {.bf16 = pass.in.bf16, .seed = pass.in.seed, .step = pass.in.step}};
}

// The routing of one site as plain weights, so that single tokens can be given to single experts: sigmoid(logit w) = w.
Routing as_weights(const Routing& routing) {
  Routing out;
  out.scores = materialised(routing.scores);
  const Tensor w = weights(routing).detach();
  out.scores.dense = w.clamp(0, 1).logit();
  out.keep = KeepMask{w > 0};
  out.weight = Weight::sigmoid;
  out.visible = routing.visible;
  return out;
}

// [B] summed loss of each sequence.
Tensor sequence_losses(const Model& model, const Tensor& tokens, const Tensor& targets, const Routes& routes,
                       const Pass& pass) {
  Pass fresh = evaluation(pass);
  return model.losses(tokens, targets, routes, fresh).to(at::kDouble).sum(1);
}

Routes replay(const Routes& routes, const Site& site, Routing routing, const Tensor& tokens) {
  auto recording = std::make_shared<Recording>();
  recording->tokens = tokens;
  recording->at[site] = std::move(routing);
  return routes.with(site, std::make_shared<Route>(routes.at.at(site)->replaying(std::move(recording))));
}

}  // namespace

std::map<Site, Tensor> expected_gains(const Model& model, const Tensor& tokens, const Tensor& targets,
                                      const Routes& routes, const Pass& pass) {
  at::AutoGradMode gradients(true);
  std::vector<Site> sites;
  std::vector<Tensor> outputs, each;
  Routes watched = routes;
  watched.observe_experts = [&](const Site& site, const Tensor& y, const std::function<Tensor()>& experts) {
    at::NoGradGuard no_grad;
    sites.push_back(site);
    outputs.push_back(y);
    if (!y.requires_grad()) outputs.back().requires_grad_();  // nothing before it trains: it is a leaf
    each.push_back(experts());                                // [N,E,D]
  };
  Pass fresh = evaluation(pass);
  const Tensor loss = model.losses(tokens, targets, watched, fresh).sum();
  const auto slopes = torch::autograd::grad({loss}, outputs);
  at::NoGradGuard no_grad;
  std::map<Site, Tensor> gains;
  for (std::size_t i = 0; i < sites.size(); ++i) {
    const Tensor slope = slopes[i].reshape({-1, slopes[i].size(-1)});               // [N,D]
    const Tensor offered = (each[i] * slope.unsqueeze(1)).sum(-1);                  // [N,E]
    const Tensor had = (outputs[i].detach().view_as(slope) * slope).sum(-1, true);  // [N,1]
    gains[sites[i]] = (had - offered).view({tokens.size(0), tokens.size(1), -1});
  }
  return gains;
}

double gain_correlation(const Model& model, const Tensor& tokens, const Tensor& targets, const Routes& routes,
                        const Site& site, int64_t swaps, const Pass& pass) {
  const Tensor gains = expected_gains(model, tokens, targets, routes, pass).at(site);  // [B,T,E]
  at::NoGradGuard no_grad;
  Routing native;
  Routes watched = routes;
  watched.observe = [&](const Site& where, const Routing& routing, const RouterInput&) {
    if (where == site) native = as_weights(routing);
  };
  sequence_losses(model, tokens, targets, watched, pass);
  const int64_t batch = tokens.size(0), items = tokens.size(1), experts = gains.size(2);
  const Tensor base = sequence_losses(model, tokens, targets, replay(routes, site, native, tokens), pass);
  Random random(stream_key(pass.in.seed, "gain check/" + site));
  std::vector<double> expected, exact;
  while (static_cast<int64_t>(expected.size()) < swaps) {  // one token of every sequence at a time
    Routing swapped = native;
    swapped.scores.dense = native.scores.dense.clone();
    Tensor mask = std::get<KeepMask>(native.keep).mask.clone();
    std::vector<double> foretold;
    for (int64_t b = 0; b < batch; ++b) {
      const auto t = static_cast<int64_t>(random.below(static_cast<uint64_t>(items)));
      const auto e = static_cast<int64_t>(random.below(static_cast<uint64_t>(experts)));
      mask[b][0][t].fill_(false);
      mask[b][0][t][e].fill_(true);
      swapped.scores.dense[b][0][t][e].fill_(std::numeric_limits<double>::infinity());
      foretold.push_back(gains[b][t][e].item<double>());
    }
    swapped.keep = KeepMask{mask};
    const Tensor now = sequence_losses(model, tokens, targets, replay(routes, site, swapped, tokens), pass);
    const Tensor gained = (base - now).cpu();
    for (int64_t b = 0; b < batch; ++b) {
      expected.push_back(foretold[static_cast<std::size_t>(b)]);
      exact.push_back(gained[b].item<double>());
    }
  }
  const auto as_tensor = [](const std::vector<double>& x) { return at::tensor(x, at::kDouble); };
  const Tensor pair = at::stack({as_tensor(expected), as_tensor(exact)});
  return at::corrcoef(pair)[0][1].item<double>();
}

}  // namespace absorb
