#include "statistics/counting/ranks.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/error.h"
#include "core/numbers.h"

namespace absorb {
namespace {

double pearson(std::span<const double> a, std::span<const double> b) {
  const auto n = static_cast<double>(a.size());
  const double mean_a = std::reduce(a.begin(), a.end()) / n, mean_b = std::reduce(b.begin(), b.end()) / n;
  double products = 0, squares_a = 0, squares_b = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    products += (a[i] - mean_a) * (b[i] - mean_b);
    squares_a += (a[i] - mean_a) * (a[i] - mean_a);
    squares_b += (b[i] - mean_b) * (b[i] - mean_b);
  }
  return squares_a > 0 && squares_b > 0 ? products / std::sqrt(squares_a * squares_b) : nan;
}

}  // namespace

std::vector<double> ranks(std::span<const double> values) {
  check(std::ranges::none_of(values, [](double value) { return std::isnan(value); }), "[ranks] a NaN has no rank");
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::sort(order, [&](size_t i, size_t j) { return values[i] < values[j]; });
  std::vector<double> result(values.size());
  for (size_t first = 0, last = 0; first < order.size(); first = last) {
    while (last < order.size() && values[order[last]] == values[order[first]]) ++last;
    for (size_t at = first; at < last; ++at) result[order[at]] = static_cast<double>(first + last + 1) / 2;
  }
  return result;
}

double spearman(std::span<const double> a, std::span<const double> b) {
  check(a.size() == b.size(), "[spearman] {} values against {}", a.size(), b.size());
  return a.size() < 2 ? nan : pearson(ranks(a), ranks(b));
}

double auc(std::span<const double> values, const std::vector<bool>& planted) {
  check(values.size() == planted.size(), "[auc] {} values and {} marks", values.size(), planted.size());
  const std::vector<double> rank = ranks(values);
  double sum = 0, inside = 0;
  for (size_t i = 0; i < rank.size(); ++i) {
    if (!planted[i]) continue;
    sum += rank[i];
    ++inside;
  }
  const double outside = static_cast<double>(values.size()) - inside;
  return inside > 0 && outside > 0 ? (sum - inside * (inside + 1) / 2) / (inside * outside) : nan;
}

}  // namespace absorb
