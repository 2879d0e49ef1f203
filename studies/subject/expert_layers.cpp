#include <torch/csrc/autograd/autograd.h>
#include <torch/types.h>

#include "core/error.h"
#include "moe/activation.h"
#include "studies/subject/run_subject.h"

namespace absorb {
namespace {

/// What one layer of experts showed, batch by batch.
struct Seen {
  Tensor directions;                      // [E,D] sums over tokens
  std::vector<Tensor> scores, responses;  // [E,n] of each batch
};

/// [E,n] norms of the activations; expert by expert, since those of all at once are as large as the layer's.
Tensor responses_of(const Tensor& x /* [n,D] */, const Experts& experts) {
  const std::vector<Tensor> in = experts.in.chunk(experts.count);
  const std::vector<Tensor> bias =
      experts.in_bias.defined() ? experts.in_bias.chunk(experts.count) : std::vector<Tensor>(in.size());
  std::vector<Tensor> rows;
  for (std::size_t e = 0; e < in.size(); ++e)
    rows.push_back(activate(at::linear(x, in[e], bias[e]), experts.activation).to(at::kDouble).norm(2, {1}));
  return at::stack(rows).cpu();
}

/// The router is asked anew, by itself: what detaches its input or shuffles its scores in the run would hide which way
/// they rise.
void look(Seen& seen, const Router& router, const Experts& experts, const RouterInput& input, const Pass& pass) {
  RouterInput asked = input;
  asked.items = input.items.detach().clone().requires_grad_();
  Tensor scores;
  std::vector<Tensor> slopes;  // [D] for each expert, summed over tokens
  {
    const at::AutoGradMode gradients(true);
    scores = dense(router.score(asked, pass)).reshape({-1, experts.count});  // [n,E]
    for (int64_t e = 0; e < experts.count; ++e) {
      Tensor slope;
      if (scores.requires_grad())
        slope = torch::autograd::grad({scores.select(1, e).sum()}, {asked.items}, {}, /*retain_graph=*/true,
                                      /*create_graph=*/false, /*allow_unused=*/true)[0];
      if (!slope.defined()) slope = at::zeros_like(asked.items);
      slopes.push_back(slope.to(at::kDouble).sum(at::IntArrayRef{0, 1}));
    }
  }
  const Tensor directions = at::stack(slopes).cpu();
  seen.directions = seen.directions.defined() ? seen.directions + directions : directions;
  seen.scores.push_back(scores.detach().t().to(at::kDouble).cpu());
  seen.responses.push_back(responses_of(input.items.detach().reshape({-1, input.items.size(-1)}), experts));
}

}  // namespace

std::vector<ExpertLayer> RunSubject::expert_layers(Examples examples) {
  const at::NoGradGuard no_grad;
  std::map<Site, Seen> seen;
  PassInput now;
  Routes watched = run_.routes();
  watched.observe = [&](const Site& site, const Routing&, const RouterInput& input) {
    const Experts* experts = run_.model().experts(site);
    if (experts != nullptr) look(seen[site], run_.routes().at.at(site)->router(), *experts, input, Pass{.in = now});
  };
  const TokenLosses losses = run_.losses(watched);
  each_batch(examples, [&](const Batch& batch, Pass& pass) {
    now = pass.in;
    now.tokens = batch.tokens;
    losses(batch, pass);
  });
  std::vector<ExpertLayer> layers;
  for (const auto& [site, task] : run_.model().sites()) {
    const auto found = seen.find(site);
    if (found == seen.end()) continue;
    const Tensor& in = run_.model().experts(site)->in;
    const Tensor scores = at::cat(found->second.scores, 1);
    layers.push_back({task.component, found->second.directions / static_cast<double>(scores.size(1)),
                      in.detach().to(at::kDouble).cpu().view({task.choices, -1, in.size(1)}), scores,
                      at::cat(found->second.responses, 1)});
  }
  return layers;
}

}  // namespace absorb
