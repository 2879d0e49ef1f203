#include "moe/experts.h"

#include <torch/csrc/autograd/custom_function.h>
#include <torch/types.h>

#include <numeric>

#include "moe/dispatch.h"
#include "tensors/kernels/kernel_choice.h"
#include "tensors/linear/linear.h"

namespace absorb {
namespace {

// Rows move by a permutation, so their gradients are gathered by its inverse: no atomics, no zeros to add to.
struct PermuteRows : torch::autograd::Function<PermuteRows> {
  static Tensor forward(torch::autograd::AutogradContext* context, const Tensor& x, const Tensor& order,
                        const Tensor& inverse) {
    context->save_for_backward({order, inverse});
    return x.index_select(0, order);
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    return {apply(gradients[0], saved[1], saved[0]), {}, {}};
  }
};

Tensor all_experts(const Tensor& x /* [N,D] */, const Tensor& weights /* [N,E] */, const Experts& e, const Pass& pass) {
  const Tensor h = activated(x, e.in, {e.activation, e.in_bias, weights, e.dropout, e.site + "/hidden"}, pass);
  const Tensor y = product(h, e.out, pass);
  return e.out_bias.defined() ? at::addmm(y, weights, e.out_bias) : y;
}

// x [N,D], weights [N,E], kept [N,K]
Tensor kept_experts(const Tensor& x, const Tensor& weights, const Tensor& kept, const Experts& e, const Pass& pass) {
  const int64_t tokens = x.size(0), k = kept.size(1), experts = e.count, hidden = e.out.size(0) / experts;
  const Dispatch d = dispatch(kept, experts);
  std::vector<int64_t> rows = d.ends;
  std::adjacent_difference(d.ends.begin(), d.ends.end(), rows.begin());
  // One split, not a narrow for each expert: the gradient of a narrow is a whole tensor of zeros.
  const Tensor pairs = x.unsqueeze(1).expand({tokens, k, x.size(1)}).reshape({tokens * k, -1});
  const auto sorted = PermuteRows::apply(pairs, d.order, d.inverse).split_with_sizes(rows);
  const auto in = e.in.view({experts, e.in.size(0) / experts, -1}).unbind(0);
  const auto out = e.out.view({experts, hidden, -1}).unbind(0);
  std::vector<Tensor> in_bias, out_bias, results, dropped;
  const bool drops = pass.in.training && e.dropout > 0;
  if (drops)  // one stream over all rows as they are sorted
    dropped = pass.dropout(at::ones({tokens * k, hidden}, sorted[0].options()), e.dropout, e.site + "/hidden")
                  .split_with_sizes(rows);
  if (e.in_bias.defined()) {
    in_bias = e.in_bias.view({experts, -1}).unbind(0);
    out_bias = e.out_bias.unbind(0);
  }
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    Tensor h = activate(at::linear(sorted[i], in[i], in_bias.empty() ? Tensor() : in_bias[i]), e.activation);
    if (drops) h = h * dropped[i];
    results.push_back(out_bias.empty() ? at::matmul(h, out[i]) : at::addmm(out_bias[i], h, out[i]));
  }
  const Tensor y = PermuteRows::apply(at::cat(results), d.inverse, d.order).view({tokens, k, -1});
  return (y * weights.gather(1, kept).unsqueeze(-1)).sum(1);  // LibTorch's bmm of one row falls into a naive loop
}

}  // namespace

bool runs_all(const Routing& routing) {
  return budget(routing) == 0 || routing.gradient == Gradient::straight_through;
}

Tensor experts_composition(const Tensor& x, const Routing& routing, const Experts& experts, Pass& pass) {
  const Tensor flat = x.reshape({-1, x.size(-1)});
  const Tensor w = weights(routing).reshape({flat.size(0), experts.count}).to(x.scalar_type());
  if (runs_all(routing)) return all_experts(flat, w, experts, pass).view(x.sizes());
  pass.out.waits = true;
  return kept_experts(flat, w, kept_choices(routing), experts, pass).view(x.sizes());
}

Tensor run_experts(const Tensor& x, const Routing& routing, const Experts& experts, Pass& pass) {
  if (runs_kernel(pass, [&] { return why_no_experts_kernel(routing, experts); }))
    return experts_by_kernel(x, routing, experts, pass);
  return experts_composition(x, routing, experts, pass);
}

Tensor each_expert(const Tensor& x, const Experts& e) {
  const Tensor h =
      activate(at::linear(x, e.in, e.in_bias).view({x.size(0), e.count, -1}), e.activation).transpose(0, 1);
  const Tensor y = at::bmm(h, e.out.view({e.count, -1, e.out.size(1)})).transpose(0, 1);
  return e.out_bias.defined() ? y + e.out_bias : y;
}

}  // namespace absorb
