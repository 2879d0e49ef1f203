#include "moe/dispatch.h"

#include <torch/types.h>

namespace absorb {

Dispatch dispatch_composition(const Tensor& kept, int64_t experts) {
  at::NoGradGuard no_grad;
  const Tensor expert = kept.reshape({-1});
  const Tensor order = std::get<1>(at::sort(expert, /*stable=*/true, 0, false));
  const Tensor inverse = at::empty_like(order).scatter_(0, order, at::arange(order.numel(), order.options()));
  const Tensor ends = (expert.unsqueeze(0) <= at::arange(experts, expert.options()).unsqueeze(1)).sum(1).cpu();
  const int64_t* data = ends.const_data_ptr<int64_t>();
  return {order, inverse, {data, data + experts}};
}

Dispatch dispatch(const Tensor& kept, int64_t experts) {
  if (!kept.is_cpu()) return dispatch_composition(kept, experts);
  const Tensor expert = kept.contiguous();
  const int64_t pairs = expert.numel();
  const int64_t* of = expert.const_data_ptr<int64_t>();
  Dispatch out{at::empty({pairs}, expert.options()), at::empty({pairs}, expert.options()), {}};
  std::vector<int64_t> next(static_cast<std::size_t>(experts) + 1, 0);
  for (int64_t pair = 0; pair < pairs; ++pair) ++next[static_cast<std::size_t>(of[pair]) + 1];
  for (std::size_t e = 1; e < next.size(); ++e) next[e] += next[e - 1];
  out.ends.assign(next.begin() + 1, next.end());
  int64_t* order = out.order.mutable_data_ptr<int64_t>();
  int64_t* inverse = out.inverse.mutable_data_ptr<int64_t>();
  for (int64_t pair = 0; pair < pairs; ++pair) {
    const int64_t place = next[static_cast<std::size_t>(of[pair])]++;
    order[place] = pair;
    inverse[pair] = place;
  }
  return out;
}

}  // namespace absorb
