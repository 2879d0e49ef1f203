#include "tensors/linear/linear.h"

#include <torch/types.h>

#include "tensors/kernels/kernel_choice.h"
#include "tensors/linear/fused_weights.h"

namespace absorb {

Tensor linear(const Tensor& x, const Tensor& weight, const Pass& pass) {
  for (const PassScratch::Product& made : pass.scratch.products)
    if (made.weight.is_same(weight) && made.x.is_same(x)) return made.y;
  if (runs_kernel(pass, [&] { return why_no_weight_copy(weight, pass); })) return linear_by_kernel(x, weight, pass);
  return at::linear(x, weight);
}

Tensor product(const Tensor& x, const Tensor& weight, const Pass& pass) {
  if (runs_kernel(pass, [&] { return why_no_weight_copy(weight, pass); })) return product_by_kernel(x, weight, pass);
  return at::matmul(x, weight);
}

Tensor linear_with_followers(const Tensor& x, const Tensor& weight, Pass& pass) {
  Tensors weights = {weight};
  if (runs_kernel(pass)) {
    const Tensors more = pass.in.fused->followers(weight);
    weights.insert(weights.end(), more.begin(), more.end());
  }
  int64_t rows = 0;
  for (const Tensor& w : weights) rows += w.size(0);
  // Kernels read rows of whole vectors.
  if (weights.size() == 1 || rows % 8 != 0) return linear(x, weight, pass);
  const Tensors outputs = linears_by_kernel(x, weights, pass);
  for (std::size_t i = 0; i < weights.size(); ++i) pass.scratch.products.push_back({weights[i], x, outputs[i]});
  return outputs[0];
}

}  // namespace absorb
