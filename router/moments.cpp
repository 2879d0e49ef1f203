#include "router/moments.h"

#include <torch/types.h>

namespace absorb {

void MomentSums::add(const Scores& scores, Visible visible) {
  at::NoGradGuard no_grad;
  const Tensor all = dense(scores);
  const Tensor mask = visible_mask(visible, all.size(-2), all.size(-1), all.device());
  const Tensor seen = mask.defined() ? all * mask : all;
  const double per_group =
      static_cast<double>(all.size(0)) *
      (mask.defined() ? mask.sum().item<double>() : static_cast<double>(all.size(2) * all.size(3)));
  const auto total = [](const Tensor& x) { return x.to(at::kDouble).sum(at::IntArrayRef{0, 2, 3}).cpu(); };
  const Tensor sum = total(seen), square = total(seen.square());
  sum_ = sum_.defined() ? sum_ + sum : sum;
  square_ = square_.defined() ? square_ + square : square;
  count_ = (count_.defined() ? count_ : at::zeros_like(sum)) + per_group;
}

Tensor MomentSums::moments() const {
  const Tensor mean = sum_ / count_;
  return at::stack({mean, (square_ / count_ - mean.square()).clamp_min(0).sqrt()});
}

Tensor moments(const Scores& scores, Visible visible) {
  MomentSums sums;
  sums.add(scores, visible);
  return sums.moments();
}

}  // namespace absorb
