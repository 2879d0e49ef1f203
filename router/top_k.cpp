// Top-k selection row by row: a partial sort of each row's visible scores, without sorting or counting a [T,C] matrix.
#include <torch/types.h>

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <vector>

#include "router/kernels.h"
#include "router/routing.h"

namespace absorb {
namespace {

template <class V>
void select_row(const V* scores, int64_t n, int64_t own, int64_t k, std::vector<V>& buffer, V& threshold,
                int64_t& last) {
  // NaN has no place in an order: it counts as hidden (the run that made it stops at its NaN loss).
  const auto value = [&](int64_t c) {
    if (c == own) return std::numeric_limits<V>::infinity();
    return std::isnan(scores[c]) ? -std::numeric_limits<V>::infinity() : scores[c];
  };
  if (n < k) {  // fewer are visible than the budget allows: the hidden ones tie at -inf, the lowest of them win
    threshold = -std::numeric_limits<V>::infinity();
    last = k - 1;
    return;
  }
  buffer.resize(static_cast<std::size_t>(n));
  for (int64_t c = 0; c < n; ++c) buffer[static_cast<std::size_t>(c)] = value(c);
  std::nth_element(buffer.begin(), buffer.begin() + (k - 1), buffer.end(), std::greater<V>());
  threshold = buffer[static_cast<std::size_t>(k - 1)];
  int64_t needed = k;
  for (int64_t c = 0; c < n; ++c) needed -= value(c) > threshold;
  last = -1;
  for (int64_t c = 0; c < n && needed > 0; ++c)
    if (value(c) == threshold) {
      last = c;
      --needed;
    }
}

template <class V>
KeepTop top_k_cpu(const Tensor& dense_scores, int64_t k, Visible visible, bool self) {
  const Tensor scores = dense_scores.contiguous();
  const auto shape = scores.sizes().slice(0, scores.dim() - 1);
  KeepTop keep{at::empty(shape, scores.options()), at::empty(shape, scores.options().dtype(at::kLong)), k, self};
  const int64_t items = scores.size(-2), choices = scores.size(-1), rows = scores.numel() / choices;
  const V* in = scores.const_data_ptr<V>();
  V* threshold = keep.threshold.mutable_data_ptr<V>();
  int64_t* last = keep.last.mutable_data_ptr<int64_t>();
  at::parallel_for(0, rows, 64, [&](int64_t begin, int64_t end) {
    std::vector<V> buffer;
    for (int64_t row = begin; row < end; ++row) {
      const int64_t t = row % items;
      const int64_t n = visible == Visible::causal ? std::min(t + 1, choices) : choices;
      select_row(in + row * choices, n, self ? t : -1, k, buffer, threshold[row], last[row]);
    }
  });
  return keep;
}

}  // namespace

KeepTop top_k(const Tensor& dense_scores, int64_t k, Visible visible, bool self) {
  at::NoGradGuard no_grad;
  const Tensor scores = dense_scores.detach();
  if (!scores.is_cpu()) return top_k_composition(scores, k, visible, self);
  if (scores.scalar_type() == at::kDouble) return top_k_cpu<double>(scores, k, visible, self);
  KeepTop keep = top_k_cpu<float>(scores.to(at::kFloat), k, visible, self);
  keep.threshold = keep.threshold.to(scores.scalar_type());  // exact: it is one of the scores
  return keep;
}

KeepTop top_k(const Scores& scores, int64_t k, Visible visible, bool self) {
  at::NoGradGuard no_grad;
  if (scores.fused && visible == Visible::all) return {{}, {}, k, self};
  if (visible != Visible::causal || !has_top_k_kernel(scores)) return top_k(dense(scores), k, visible, self);
  return top_k_by_kernel(factors_for_kernels(scores), k, self);
}

}  // namespace absorb
