// The vocabulary's kernels as a node of autograd.
#include <torch/types.h>

#include <algorithm>

#include "core/error.h"
#include "tensors/autocast.h"
#include "tensors/kernels/kernel_arguments.h"
#include "tensors/linear/fused_weights.h"
#include "tensors/linear/product.h"
#include "transformer/cuda/fused_head.cuh"
#include "transformer/cuda/head.cuh"
#include "transformer/ops/head.h"

namespace absorb {
namespace {

// The vocabulary's part of a pass: h and the table as products take them.
struct Head {
  int64_t rows, width, vocabulary;
  Tensor h, w;     // [N,D], [Vp,D] bf16
  Tensor targets;  // [N] int64
  Tensor dw;       // where the table's gradient is added; undefined: it isn't trained
  bool wants_h;
};

// Rows whose logits exist at once: no more than these, in chunks of equal length. Below that, adding to the table's
// gradient once more for each chunk begins to cost.
constexpr int64_t most_rows_at_once = 11264;

int64_t rows_at_once(int64_t rows) {
  const int64_t chunks = (rows + most_rows_at_once - 1) / most_rows_at_once;
  return std::min(rows, ((rows + chunks - 1) / chunks + 255) / 256 * 256);
}

// Nats per row into `losses`, the table's gradient to where it belongs, and the gradient of h, both multiplied by the
// pass's loss scale: the kernels of Hopper.
Tensor losses_with_gradients(const Head& head, const Tensor& losses, const Tensor& scale) {
  const int64_t stride = head.w.size(0), chunk = rows_at_once(head.rows), padded = (chunk + 255) / 256 * 256;
  const Tensor logits = empty_like_on(head.h, {chunk, stride}, at::kBFloat16);
  const Tensor log_sums = empty_like_on(head.h, {padded}, at::kFloat);
  const Tensor targets = empty_like_on(head.h, {padded}, at::kInt);
  const Tensor workspace = workspace_of(kernels::fused_head_bytes(chunk, head.width), head.h);
  const Tensor dh = head.wants_h ? at::empty_like(head.h) : Tensor();
  for (int64_t begin = 0; begin < head.rows; begin += chunk) {
    const int64_t rows = std::min(chunk, head.rows - begin);
    kernels::FusedHead call;
    call.rows = rows;
    call.vocabulary = head.vocabulary;
    call.stride = stride;
    call.width = head.width;
    call.h = read<Bf16>(head.h.narrow(0, begin, rows));
    call.w = read<Bf16>(head.w);
    call.logits = write<Bf16>(logits);
    call.targets = read<int64_t>(head.targets.narrow(0, begin, rows));
    call.losses = write<float>(losses.view({-1}).narrow(0, begin, rows));
    call.log_sums = write<float>(log_sums);
    call.word_targets = write<int32_t>(targets);
    call.scale = read<float>(scale);
    call.dh = head.wants_h ? write<Bf16>(dh.narrow(0, begin, rows)) : nullptr;
    call.dw = write<float>(head.dw);
    call.workspace = workspace.data_ptr();
    kernels::head_forward(call, stream_for(head.h));
    if (head.wants_h) kernels::head_input_gradient(call, stream_for(head.h));
    if (head.dw.defined()) kernels::head_weight_gradient(call, stream_for(head.h));
  }
  return dh;
}

// Adds `gradient` where the producer of h takes it from, or hands it to autograd.
Tensors hand_on(const std::shared_ptr<Tensor>& sink, const Tensor& gradient) {
  if (!sink) return {gradient, {}};
  *sink = sink->defined() ? sink->add_(gradient) : gradient;
  return {{}, {}};
}

// The gradient of every row's loss is known only in the backward pass: it multiplies both products.
Tensors gradients_of_losses(const Head& head, const Tensor& logits, const Tensor& dlosses,
                            const std::shared_ptr<Tensor>& sink, at::IntArrayRef shape) {
  const Tensor scale = dlosses.to(at::kFloat).contiguous();
  const auto scaled = [&](const Tensor& x) {
    const Tensor y = at::empty_like(x);
    kernels::scale_rows(read<Bf16>(x), read<float>(scale), write<Bf16>(y), head.rows, head.width, stream_for(x));
    return y;
  };
  if (head.dw.defined()) add_product(head.dw, logits, scaled(head.h));
  if (!head.wants_h) return {{}, {}};
  return hand_on(sink, scaled(bf16_product(logits, head.w)).view(shape));
}

// Logits of the whole, which become softmax - onehot in their place where `differentiates`.
Tensor losses_in_place(const Head& head, const Tensor& losses, bool differentiates) {
  const Tensor logits = bf16_product(head.h, head.w.t());
  kernels::HeadLoss call;
  call.rows = head.rows;
  call.vocabulary = head.vocabulary;
  call.stride = logits.size(1);
  call.logits = write<Bf16>(logits);
  call.targets = read<int64_t>(head.targets);
  call.losses = write<float>(losses);
  call.gradient = differentiates;
  kernels::head_loss(call, stream_for(head.h));
  return logits;
}

}  // namespace

Tensor head_losses_by_kernel(const Tensor& h, const Tensor& token, const Tensor& targets, const Pass& pass) {
  const int64_t vocabulary = token.size(0), width = token.size(1), rows = h.numel() / width;
  // A product of a multiple of 64 columns is fast; columns past the vocabulary hold whatever is stored behind the
  // table, and the loss leaves them out.
  const int64_t padded = (vocabulary + 63) / 64 * 64;
  Tensor w = pass.in.fused->bf16(token, padded);
  const bool pads = w.defined();
  if (!pads) w = pass.in.fused->bf16(token);
  check(w.defined(), "[head_losses_by_kernel] the embedding isn't a parameter");
  const bool differentiates = at::GradMode::is_enabled() && (h.requires_grad() || token.requires_grad());
  const Head head{rows,
                  width,
                  vocabulary,
                  h.detach().reshape({rows, width}),
                  w,
                  targets.contiguous().view({-1}),
                  token.requires_grad() ? pass.in.fused->gradient(token, pads ? padded : 0) : Tensor(),
                  h.requires_grad()};
  const Tensor losses = empty_like_on(h, targets.sizes(), at::kFloat);
  const bool at_once =
      differentiates && pads && pass.in.loss_scale.defined() && kernels::has_fused_head(vocabulary, width);
  Tensor kept;  // the gradient of h, or that of the logits
  {
    at::NoGradGuard no_grad;
    const AutocastGuard plain(false, h.device());
    kept = at_once ? losses_with_gradients(head, losses, pass.in.loss_scale)
                   : losses_in_place(head, losses, differentiates);
  }
  if (!differentiates) return losses;
  record({losses}, {h, token}, [=, sink = sink_of(h), shape = h.sizes().vec()](const Tensors& gradients) -> Tensors {
    if (!at_once) return gradients_of_losses(head, kept, gradients[0], sink, shape);
    return head.wants_h ? hand_on(sink, kept.view(shape)) : Tensors{{}, {}};
  });
  return losses;
}

}  // namespace absorb
