// Products with weights by the weights' bf16 copies, as nodes of autograd.
#include <torch/types.h>

#include "core/error.h"
#include "tensors/autocast.h"
#include "tensors/linear/fused_weights.h"
#include "tensors/linear/linear.h"
#include "tensors/linear/product.h"

namespace absorb {
namespace {

// x v for x [...,K] and v [K,M], the weight itself or its transpose; `add` adds the weight's gradient from dy and x.
Tensor multiplied(const Tensor& x, const Tensor& weight, const Tensor& v,
                  std::function<void(const Tensor& dy, const Tensor& x)> add) {
  Tensor y, flat;
  {
    at::NoGradGuard no_grad;
    const AutocastGuard plain(false, x.device());
    flat = x.detach().to(at::kBFloat16).reshape({-1, v.size(0)});
    std::vector<int64_t> shape = x.sizes().vec();
    shape.back() = v.size(1);
    y = bf16_product(flat, v).view(shape);
  }
  record({y}, {x, weight},
         [=, add = std::move(add), sink = sink_of(x), shape = x.sizes().vec(), wanted = x.requires_grad(),
          type = x.scalar_type()](const Tensors& gradients) -> Tensors {
           if (!gradients[0].defined()) return {{}, {}};
           const Tensor dy = gradients[0].to(at::kBFloat16).reshape({-1, v.size(1)});
           if (add) add(dy, flat);
           if (!wanted) return {{}, {}};
           const Tensor dx = leave_product(sink, shape, dy, v.t());
           return {dx.defined() ? dx.to(type) : dx, {}};
         });
  return y;
}

// Weights that lie one behind the other, and where their products and gradients are.
struct Wide {
  Tensor w, x;                       // [M,K] and [N,K] bf16
  std::vector<int64_t> rows;         // of each weight; M together
  std::vector<Tensor> sums;          // where each one's gradient is added; undefined: not trained
  std::shared_ptr<Tensor> gradient;  // [N,M] bf16, whoever comes first makes it
};

// Piece `i` of [..., M].
Tensor piece(const Wide& wide, const Tensor& of, std::size_t i) {
  int64_t begin = 0;
  for (std::size_t j = 0; j < i; ++j) begin += wide.rows[j];
  return of.narrow(-1, begin, wide.rows[i]);
}

// One product for each run of trained weights.
void add_gradients(const Wide& wide, const Tensor& dy) {
  int64_t begin = 0;
  for (std::size_t i = 0; i < wide.rows.size();) {
    int64_t rows = wide.rows[i];
    std::size_t next = i + 1;
    if (wide.sums[i].defined())
      for (; next < wide.rows.size() && wide.sums[next].defined(); ++next) rows += wide.rows[next];
    if (wide.sums[i].defined()) {
      const Tensor &first = wide.sums[i], sum = first.as_strided({rows, first.size(1)}, {first.size(1), 1});
      add_product(sum, dy.narrow(1, begin, rows), wide.x);
    }
    begin += rows;
    i = next;
  }
}

// Their gradients side by side: [N,M].
Tensor wide_gradient(const Wide& wide, const Tensors& gradients, const Tensor& like) {
  if (!wide.gradient->defined()) *wide.gradient = at::empty({like.numel()}, like.options());
  const Tensor whole = wide.gradient->view(like.sizes());
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    Tensor home = piece(wide, whole, i);
    if (!gradients[i].defined())
      home.zero_();
    else if (gradients[i].const_data_ptr() != home.const_data_ptr())
      home.copy_(gradients[i]);
  }
  return whole.view({-1, wide.w.size(0)});
}

Wide wide_of(const Tensor& x, const Tensors& weights, const FusedWeights& fused) {
  Wide wide;
  int64_t rows = 0;
  for (const Tensor& w : weights) {
    wide.rows.push_back(w.size(0));
    wide.sums.push_back(fused.gradient_of(w));
    rows += w.size(0);
  }
  wide.w = fused.bf16(weights[0], rows);
  wide.x = x.detach().to(at::kBFloat16).reshape({-1, wide.w.size(1)});
  wide.gradient = std::make_shared<Tensor>();
  return wide;
}

}  // namespace

std::string why_no_weight_copy(const Tensor& weight, const Pass& pass) {
  return pass.in.fused->bf16(weight).defined() ? "" : "a product whose matrix is no parameter";
}

Tensor linear_by_kernel(const Tensor& x, const Tensor& weight, const Pass& pass) {
  const Tensor w = pass.in.fused->bf16(weight), sum = pass.in.fused->gradient_of(weight);
  if (!sum.defined()) return multiplied(x, weight, w.t(), {});
  return multiplied(x, weight, w.t(), [sum](const Tensor& dy, const Tensor& rows) { add_product(sum, dy, rows); });
}

Tensor product_by_kernel(const Tensor& x, const Tensor& weight, const Pass& pass) {
  const Tensor w = pass.in.fused->bf16(weight), sum = pass.in.fused->gradient_of(weight);
  if (!sum.defined()) return multiplied(x, weight, w, {});
  return multiplied(x, weight, w, [sum](const Tensor& dy, const Tensor& rows) { add_product(sum, rows, dy); });
}

Tensors linears_by_kernel(const Tensor& x, const Tensors& weights, Pass& pass) {
  const Wide wide = wide_of(x, weights, *pass.in.fused);
  Tensor y;
  {
    at::NoGradGuard no_grad;
    const AutocastGuard plain(false, x.device());
    std::vector<int64_t> shape = x.sizes().vec();
    shape.back() = wide.w.size(0);
    y = bf16_product(wide.x, wide.w.t()).view(shape);
  }
  Tensors outputs, inputs = {x};
  inputs.insert(inputs.end(), weights.begin(), weights.end());
  for (std::size_t i = 0; i < weights.size(); ++i) outputs.push_back(piece(wide, y, i).detach());
  record(outputs, inputs,
         [wide, like = y, inputs = inputs.size(), sink = sink_of(x), sizes = x.sizes().vec(),
          wanted = x.requires_grad(), type = x.scalar_type()](const Tensors& gradients) -> Tensors {
           Tensors out(inputs);
           const Tensor dy = wide_gradient(wide, gradients, like);
           add_gradients(wide, dy);
           if (wanted) {
             const Tensor dx = leave_product(sink, sizes, dy, wide.w);
             out[0] = dx.defined() ? dx.to(type) : dx;
           }
           *wide.gradient = Tensor();
           return out;
         });
  if (outputs[0].requires_grad())
    pass.scratch.gradient_buffers.push_back({y.storage().getWeakStorageImpl(), wide.gradient});
  return outputs;
}

}  // namespace absorb
