// The norm's kernels as nodes of autograd: they add what a layer left to the stream and norm the sum.
#include <torch/types.h>

#include "tensors/kernels/kernel_arguments.h"
#include "tensors/linear/fused_weights.h"
#include "transformer/cuda/norm.cuh"
#include "transformer/ops/norm.h"

namespace absorb {
namespace {

// What norm_backward needs besides the gradients, kept from the forward pass.
struct NormKept {
  Tensor x, mean, rstd, weight, step;
  Tensor dweight, dbias, dy_bias;  // undefined: not wanted
  std::shared_ptr<const FusedWeights> fused;
  kernels::NormBackward call;
};

// {dx, dy}: the gradient of the stream and of what was added to it, one tensor where nothing was dropped.
std::pair<Tensor, Tensor> norm_gradients(const NormKept& kept, Tensor dx_next, Tensor dh) {
  const Tensor any = dh.defined() ? dh : dx_next;
  dh = dh.defined() ? dh.to(at::kBFloat16).contiguous() : at::zeros_like(any, any.options().dtype(at::kBFloat16));
  if (dx_next.defined()) dx_next = dx_next.to(at::kBFloat16).contiguous();
  kernels::NormBackward call = kept.call;
  const bool drops = call.dropout.threshold != 0;
  // What dx_next's other reader, the branch above, made of it is computed before this node may run.
  const Tensor dx = dx_next.defined() ? dx_next : at::empty_like(dh);
  const Tensor dy = drops ? at::empty_like(dh) : dx;
  const Tensor workspace = workspace_of(kernels::norm_backward_bytes(call.rows, call.width), dh);
  call.dh = read<Bf16>(dh);
  call.dx_next = read<Bf16>(dx_next);
  call.x = read<float>(kept.x);
  call.mean = read<float>(kept.mean);
  call.rstd = read<float>(kept.rstd);
  call.gamma = read<float>(kept.weight);
  call.dx = write<Bf16>(dx);
  call.dy = drops ? write<Bf16>(dy) : nullptr;
  call.dgamma = write<float>(kept.dweight);
  call.dbeta = write<float>(kept.dbias);
  call.dy_bias = write<float>(kept.dy_bias);
  call.workspace = workspace.data_ptr();
  kernels::ColumnSums sums;
  call.later = &sums;
  kernels::norm_backward(call, stream_for(dh));
  if (kept.dweight.defined() || kept.dbias.defined() || kept.dy_bias.defined()) kept.fused->add_later(sums, workspace);
  return {dx, dy};
}

}  // namespace

std::string why_no_norm_kernel(const Norm& norm, const Pass& pass) {
  if (norm.rms()) return "a root-mean-square norm";
  if (norm.epsilon != 1e-5) return "a norm whose epsilon isn't 1e-5";
  return pass.in.write ? "what is added to a stream that somebody looks at" : "";
}

Normed add_norm_by_kernel(const Tensor& x, const Branch& branch, const Norm& norm, const Pass& pass) {
  const Tensor &weight = norm.weight, &bias = norm.bias;
  const int64_t width = x.size(-1), rows = x.numel() / width;
  // A layer that had no kernel may leave fp32 (autocast adds experts up in it).
  const Tensor stream = x.detach(),
               y = branch.y.defined() ? branch.y.detach().to(at::kBFloat16).contiguous() : Tensor();
  const Tensor x_out = empty_like_on(x, x.sizes(), at::kFloat), h = empty_like_on(x, x.sizes(), at::kBFloat16);
  NormKept kept{y.defined() ? x_out.detach() : stream,
                empty_like_on(x, {rows}, at::kFloat),
                empty_like_on(x, {rows}, at::kFloat),
                weight.detach(),
                pass.in.step,
                pass.in.fused->gradient_of(weight),
                pass.in.fused->gradient_of(bias),
                pass.in.fused->gradient_of(branch.bias),
                pass.in.fused,
                {}};
  kernels::NormForward call;
  call.rows = kept.call.rows = rows;
  call.width = kept.call.width = width;
  call.x = read<float>(stream);
  call.y = read<Bf16>(y);
  call.y_bias = read<float>(branch.bias);
  call.dropout = kept.call.dropout = y.defined() ? dropout_of(pass, branch.dropout, branch.site) : kernels::Dropout{};
  call.gamma = read<float>(weight);
  call.beta = read<float>(bias);
  call.x_out = y.defined() ? write<float>(x_out) : nullptr;
  call.h = write<Bf16>(h);
  call.mean = write<float>(kept.mean);
  call.rstd = write<float>(kept.rstd);
  kernels::norm_forward(call, stream_for(x));
  if (!y.defined()) {  // the first norm: the stream itself goes on
    record({h}, {x, weight, bias}, [=, sink = sink_of(x)](const Tensors& gradients) -> Tensors {
      // The stream's own gradient lies in its sink by now: both of its readers come before it.
      const Tensor next = sink ? *sink : Tensor();
      const Tensor dx = norm_gradients(kept, next, gradients[0]).first;
      if (!sink) return {dx.to(at::kFloat), {}, {}};
      *sink = dx;
      return {{}, {}, {}};
    });
    return {x, h};
  }
  record({x_out, h}, {x, branch.y, weight, bias, branch.bias},
         [=, sink = sink_of(x), wants_x = x.requires_grad(),
          wants_y = branch.y.requires_grad()](const Tensors& gradients) -> Tensors {
           const auto [dx, dy] = norm_gradients(kept, gradients[0], gradients[1]);
           Tensors out(5);
           if (wants_y) out[1] = dy;
           if (wants_x && sink) *sink = dx;
           if (wants_x && !sink) out[0] = dx.to(at::kFloat);
           return out;
         });
  return {x_out, h};
}

}  // namespace absorb
