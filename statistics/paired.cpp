#include "statistics/paired.h"

#include <algorithm>
#include <cmath>

#include "core/numbers.h"
#include "core/random.h"
#include "statistics/student.h"

namespace absorb {
namespace {

constexpr uint64_t flip_key =
    0x5167'6e66'6c69'7073;  // any fixed number: a report must not change when it is made twice

// Depth first rather than by Gray code: every sum is then of n terms, without rounding carried from pattern to pattern.
int64_t count_reaching(std::span<const double> sizes, double sum, double target) {
  if (sizes.empty()) return std::abs(sum) >= target ? 1 : 0;
  const auto rest = sizes.subspan(1);
  return count_reaching(rest, sum + sizes[0], target) + count_reaching(rest, sum - sizes[0], target);
}

int64_t draw_reaching(std::span<const double> values, double target) {
  Random random(flip_key);
  int64_t reaching = 0;
  for (int64_t draw = 0; draw < sign_flip_draws; ++draw) {
    double sum = 0;
    uint32_t bits = 0;
    for (size_t i = 0; i < values.size(); ++i, bits >>= 1) {
      if (i % 32 == 0) bits = random.bits();
      sum += (bits & 1) != 0 ? values[i] : -values[i];
    }
    reaching += std::abs(sum) >= target ? 1 : 0;
  }
  return reaching;
}

double paired_t_p(const Summary& summary) {
  if (summary.n < 2 || !std::isfinite(summary.mean) || !std::isfinite(summary.sd)) return nan;
  if (summary.sd == 0) return summary.mean == 0 ? 1.0 : 0.0;
  const auto n = static_cast<double>(summary.n);
  return t_two_sided(summary.mean / (summary.sd / std::sqrt(n)), n - 1);
}

}  // namespace

double smallest_sign_flip_p(int64_t n) {
  if (n < 1) return nan;
  const double exact = std::ldexp(1.0, static_cast<int>(1 - std::min<int64_t>(n, 1000)));
  return n <= exact_sign_flip_n ? exact : std::max(exact, 1.0 / static_cast<double>(1 + sign_flip_draws));
}

double sign_flip_p(std::span<const double> differences) {
  double sum = 0, sizes = 0;
  for (double difference : differences) {
    sum += difference;
    sizes += std::abs(difference);
  }
  if (differences.empty() || !std::isfinite(sizes)) return nan;
  const double target = std::abs(sum) - 1e-12 * sizes;
  const auto n = static_cast<int64_t>(differences.size());
  if (n > exact_sign_flip_n)
    return static_cast<double>(1 + draw_reaching(differences, target)) / static_cast<double>(1 + sign_flip_draws);
  // |sum| is the same for a pattern and its mirror image: the first sign may stay.
  const int64_t reaching = count_reaching(differences.subspan(1), differences[0], target);
  return std::ldexp(static_cast<double>(reaching), static_cast<int>(1 - n));
}

Paired paired(std::span<const double> differences) {
  const Summary summary = summarize(differences);
  return {summary.n,
          summary.mean,
          summary.sd,
          t_interval(summary),
          paired_t_p(summary),
          sign_flip_p(differences),
          smallest_sign_flip_p(summary.n)};
}

}  // namespace absorb
