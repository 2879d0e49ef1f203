#include "statistics/counting/permutation.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "core/numbers.h"
#include "core/random.h"

namespace absorb {
namespace {

constexpr uint64_t split_key = 0x7370'6c69'7477'6f21;  // any fixed number: a report must not change when made twice

/// C(n, k), exact while it fits a double.
double binomial(int64_t n, int64_t k) {
  double result = 1;
  for (int64_t i = 1; i <= k; ++i) result = result * static_cast<double>(n - k + i) / static_cast<double>(i);
  return result;
}

/// The difference of means is a straight line in the sum of the first group, so that sums around their expectation say
/// all.
struct Splits {
  std::span<const double> values;  // less their mean
  double target;

  int64_t count(size_t first, int64_t left, double sum) const {
    if (left == 0) return std::abs(sum) >= target ? 1 : 0;
    if (first + static_cast<size_t>(left) > values.size()) return 0;
    return count(first + 1, left - 1, sum + values[first]) + count(first + 1, left, sum);
  }
  int64_t draw(int64_t size) const {
    Random random(split_key);
    std::vector<double> shuffled(values.begin(), values.end());
    int64_t reaching = 0;
    for (int64_t draw = 0; draw < two_sample_draws; ++draw) {
      double sum = 0;
      for (size_t i = 0; i < static_cast<size_t>(size); ++i) {
        std::swap(shuffled[i], shuffled[i + random.below(shuffled.size() - i)]);
        sum += shuffled[i];
      }
      reaching += std::abs(sum) >= target ? 1 : 0;
    }
    return reaching;
  }
};

}  // namespace

double smallest_two_sample_p(int64_t a, int64_t b) {
  if (a < 1 || b < 1) return nan;
  const double splits = binomial(a + b, std::min(a, b));
  // With equal groups the mirror image of a split differs by as much.
  return splits > most_exact_splits ? 1.0 / static_cast<double>(1 + two_sample_draws) : (a == b ? 2 : 1) / splits;
}

double two_sample_p(std::span<const double> a, std::span<const double> b) {
  if (a.size() > b.size()) return two_sample_p(b, a);
  std::vector<double> values(a.begin(), a.end());
  values.insert(values.end(), b.begin(), b.end());
  const double mean = std::reduce(values.begin(), values.end()) / static_cast<double>(values.size());
  if (a.empty() || !std::isfinite(mean)) return nan;
  double sum = 0, sizes = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    sizes += std::abs(values[i]);
    values[i] -= mean;
    if (i < a.size()) sum += values[i];
  }
  const Splits splits{values, std::abs(sum) - 1e-12 * sizes};
  const auto size = static_cast<int64_t>(a.size());
  const double all = binomial(static_cast<int64_t>(values.size()), size);
  if (all <= most_exact_splits) return static_cast<double>(splits.count(0, size, 0)) / all;
  return static_cast<double>(1 + splits.draw(size)) / static_cast<double>(1 + two_sample_draws);
}

}  // namespace absorb
