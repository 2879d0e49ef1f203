// Bias, activation, dropout and experts' weights in one kernel, as a node of autograd.
#include <torch/types.h>

#include "moe/activation.h"
#include "moe/cuda/activation.cuh"
#include "tensors/kernels/kernel_arguments.h"
#include "tensors/linear/fused_weights.h"

namespace absorb {

kernels::Activation activation_kernel(const std::string& name) {
  if (name == "gelu") return kernels::Activation::gelu;
  return name == "gelu_tanh" ? kernels::Activation::gelu_tanh : kernels::Activation::none;
}

Tensor activate_by_kernel(const Tensor& u, const Activation& activation, const Pass& pass) {
  const Tensor in = u.detach().contiguous(),
               w = activation.weights.defined() ? activation.weights.detach().to(at::kFloat).contiguous() : Tensor();
  const Tensor out = at::empty_like(in), bias = activation.bias.defined() ? activation.bias.detach() : Tensor();
  kernels::ActivationCall call;
  call.width = u.size(-1);
  call.rows = u.numel() / call.width;
  call.kind = activation_kernel(activation.kind);
  call.u = read<Bf16>(in);
  call.bias = read<float>(bias);
  call.weights = read<float>(w);
  call.experts = w.defined() ? w.size(-1) : 1;
  call.dropout = dropout_of(pass, activation.dropout, activation.site);
  kernels::activation_forward(call, write<Bf16>(out), stream_for(u));
  const Tensor dbias = pass.in.fused->gradient_of(activation.bias);
  record({out}, {u, activation.bias, activation.weights},
         [=, step = pass.in.step, fused = pass.in.fused,
          wants_weights = w.defined() && activation.weights.requires_grad()](const Tensors& gradients) -> Tensors {
           const Tensor dout = gradients[0].to(at::kBFloat16).contiguous(), du = at::empty_like(in);
           const Tensor dw = wants_weights ? at::empty_like(w) : Tensor();
           const Tensor workspace = workspace_of(kernels::activation_backward_bytes(call), du);
           kernels::ActivationCall c = call;  // whose pointers these keep alive
           c.u = read<Bf16>(in);
           c.bias = read<float>(bias);
           c.weights = read<float>(w);
           kernels::ColumnSums sums;
           kernels::activation_backward(
               c,
               {read<Bf16>(dout), write<Bf16>(du), write<float>(dbias), write<float>(dw), workspace.data_ptr(), &sums},
               stream_for(du));
           if (dbias.defined()) fused->add_later(sums, workspace);
           return {du, {}, dw};
         });
  return out;
}

}  // namespace absorb
