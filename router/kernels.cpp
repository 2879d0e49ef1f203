#include "router/kernels.h"

#include <torch/types.h>

#include "router/cuda/balance.cuh"
#include "router/cuda/sparsity.cuh"
#include "router/cuda/top_k.cuh"
#include "tensors/kernels/kernel_arguments.h"
#include "tensors/node.h"
#include "tensors/view_sink.h"

namespace absorb {
namespace {

constexpr int64_t highest_rank = 64;

// What kernels load 16 bytes at a time: bf16, a rank of whole vectors, every sequence its own.
Tensor factor_of(const Tensor& x, const Scores& scores) {
  Tensor y = x.to(at::kBFloat16);
  if (const int64_t rest = y.size(-1) % 8; rest != 0) y = at::constant_pad_nd(y, {0, 8 - rest}, 0);
  if (y.size(0) != scores.batch) y = y.expand({scores.batch, -1, -1, -1});
  const bool vectors = y.stride(-1) == 1 && y.stride(0) % 8 == 0 && y.stride(1) % 8 == 0 && y.stride(2) % 8 == 0 &&
                       reinterpret_cast<uintptr_t>(y.const_data_ptr()) % 16 == 0;
  return vectors ? y : y.contiguous();
}

Tensor numbers_of(const Tensor& x) {
  return x.defined() ? x.to(at::kFloat).contiguous() : x;
}

// Where the gradient of a factor goes: added to what attention left in `left`, or a new tensor.
class FactorPlace {
 public:
  FactorPlace(const Tensor& factor, const Tensor& left) : to_(left), add_(left.defined()) {
    if (!add_)  // [B,T,G,R] in memory, as the products before the factors have it
      to_ = empty_like_on(factor, {factor.size(0), factor.size(2), factor.size(1), factor.size(3)}, at::kBFloat16)
                .transpose(1, 2);
  }
  bool shares(const FactorPlace& other) const { return to_.const_data_ptr() == other.to_.const_data_ptr(); }
  kernels::FactorGradient call() const {
    return {{write<Bf16>(to_), to_.stride(0), to_.stride(2), to_.stride(1)}, add_};
  }
  // For autograd, which has nothing to do where the gradient is in its place.
  Tensor returned() const { return add_ ? Tensor() : to_; }

 private:
  Tensor to_;
  bool add_;
};

}  // namespace

bool has_factors_for_kernels(const Scores& s) {
  return s.fused && s.items.defined() && !s.dense.defined() && s.noise == 0 && s.items.size(-1) <= highest_rank &&
         s.items_count == s.choices_count;
}

bool has_balance_kernel(const Routing& routing) {
  const Scores& s = routing.scores;
  return s.fused && s.dense.defined() && s.groups == 1 && s.choices_count <= kernels::most_balanced_experts &&
         std::holds_alternative<KeepTop>(routing.keep) && !routing.choice;
}

Factors factors_for_kernels(const Scores& s) {
  return {factor_of(s.items, s), factor_of(s.choices, s), s.factor, numbers_of(s.scale), numbers_of(s.shift)};
}

bool has_top_k_kernel(const Scores& scores) {
  return has_factors_for_kernels(scores) &&
         scores.items_count <= kernels::most_top_keys_items((scores.items.size(-1) + 7) / 8 * 8);
}

KeepTop top_k_by_kernel(const Factors& factors, int64_t k, bool self) {
  const Tensor &items = factors.items, &choices = factors.choices;  // [B,G,T,R]
  kernels::TopKeys call;
  call.batch = items.size(0);
  call.heads = items.size(1);
  call.items = items.size(2);
  call.rank = items.size(3);
  call.of_items = {read<Bf16>(items), items.stride(0), items.stride(2), items.stride(1)};
  call.of_choices = {read<Bf16>(choices), choices.stride(0), choices.stride(2), choices.stride(1)};
  call.factor = static_cast<float>(factors.factor);
  call.scale = read<float>(factors.scale);
  call.shift = read<float>(factors.shift);
  call.k = k;
  call.self = self;
  const auto shape = items.sizes().slice(0, 3);
  KeepTop keep{empty_like_on(items, shape, at::kFloat), empty_like_on(items, shape, at::kInt), k, self};
  kernels::top_keys(call, write<float>(keep.threshold), write<int32_t>(keep.last), stream_for(items));
  return keep;
}

bool has_sparsity_kernel(const Routing& routing) {
  return std::holds_alternative<KeepAll>(routing.keep) && routing.weight == Weight::sigmoid &&
         routing.gradient == Gradient::weights && has_factors_for_kernels(routing.scores);
}

Tensor sparsity_by_kernel(const Routing& routing, double target) {
  const Factors factors = factors_for_kernels(routing.scores);
  const Tensor items = factors.items.detach(), choices = factors.choices.detach();
  kernels::Sparsity call;
  call.batch = static_cast<int>(items.size(0));
  call.heads = static_cast<int>(items.size(1));
  call.items = static_cast<int>(items.size(2));
  call.rank = static_cast<int>(items.size(3));
  call.of_items = {read<Bf16>(items), items.stride(0), items.stride(2), items.stride(1)};
  call.of_choices = {read<Bf16>(choices), choices.stride(0), choices.stride(2), choices.stride(1)};
  call.factor = static_cast<float>(factors.factor);
  call.scale = read<float>(factors.scale);
  call.shift = read<float>(factors.shift);
  call.target = static_cast<float>(target);
  const Tensor mean = empty_like_on(items, {}, at::kFloat), penalty = empty_like_on(items, {}, at::kFloat);
  const Tensor workspace = empty_like_on(items, {kernels::sparsity_workspace(call)}, at::kFloat);
  kernels::sparsity_forward(call, {write<float>(workspace), write<float>(mean), write<float>(penalty)},
                            stream_for(items));
  // `items` to `shift` are what `call` points to.
  record(
      {penalty}, {factors.items, factors.choices},
      [call, mean, items, choices, scale = factors.scale, shift = factors.shift, items_sink = ViewSink(factors.items),
       choices_sink = ViewSink(factors.choices)](const Tensors& gradients) -> Tensors {
        const Tensor gradient = gradients[0].to(at::kFloat);
        FactorPlace d_items(items, items_sink.left()), d_choices(choices, choices_sink.left());
        if (d_items.shares(d_choices)) d_choices = FactorPlace(choices, {});  // one tensor is both factors
        kernels::sparsity_backward(call, {read<float>(gradient), read<float>(mean), d_items.call(), d_choices.call()},
                                   stream_for(items));
        return {d_items.returned(), d_choices.returned()};
      });
  return penalty;
}

Tensor load_balance_by_kernel(const Routing& routing) {
  const KeepTop& top = std::get<KeepTop>(routing.keep);
  const Tensor given = dense(routing.scores), flat = given.detach().reshape({-1, given.size(-1)}).contiguous();
  const bool narrow = flat.scalar_type() == at::kBFloat16;
  const Tensor scores = narrow ? flat : flat.to(at::kFloat);
  const Tensor bias = top.bias.defined() ? top.bias.to(at::kFloat).contiguous() : Tensor();
  kernels::Balance call;
  call.tokens = scores.size(0);
  call.experts = scores.size(1);
  call.kept = top.k;
  if (narrow)
    call.scores_bf16 = read<Bf16>(scores);
  else
    call.scores = read<float>(scores);
  call.bias = read<float>(bias);
  call.sigmoid = routing.weight == Weight::sigmoid;
  const Tensor workspace = empty_like_on(scores, {kernels::balance_workspace(call)}, at::kFloat);
  const Tensor loss = empty_like_on(scores, {}, at::kFloat), share = empty_like_on(scores, {call.experts}, at::kFloat);
  kernels::balance_forward(call, write<float>(workspace), write<float>(loss), write<float>(share), stream_for(scores));
  // `scores` and `bias` are what `call` points to.
  record({loss}, {given},
         [=, shape = given.sizes().vec(), type = given.scalar_type()](const Tensors& gradients) -> Tensors {
           const Tensor gradient = gradients[0].to(at::kFloat), dscores = at::empty_like(scores);
           (void)bias;
           kernels::balance_backward(call, read<float>(share), read<float>(gradient),
                                     narrow ? nullptr : write<float>(dscores), narrow ? write<Bf16>(dscores) : nullptr,
                                     stream_for(dscores));
           return {dscores.view(shape).to(type)};
         });
  return loss;
}

}  // namespace absorb
