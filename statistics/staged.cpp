#include "statistics/staged.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "core/error.h"
#include "statistics/student.h"

namespace absorb {
namespace {

// All is said in w_n = sum x / sqrt(n sum x^2), the cosine between the n differences and (1, ..., 1): t_n = sqrt(n - 1)
// w / sqrt(1 - w^2). Where the null hypothesis is true its density is (1 - w^2)^((n - 3) / 2) / B(1/2, (n - 1) / 2),
// and w_(n+1) = (sqrt(n) w_n cos(a) + sin(a)) / sqrt(n + 1), where tan(a) = x_(n+1) / sqrt(sum of the first n x^2) is
// independent of w_n, a in (-pi/2, pi/2) with density cos(a)^(n - 1) / B(1/2, n/2).

constexpr size_t nodes = 48;  // what is spent is then right to 3e-6
using Nodes = std::array<double, nodes>;

/// Chebyshev's nodes on (-1, 1), Fejer's first quadrature rule on them (Waldvogel 2006, BIT 46:195) and the weights of
/// barycentric interpolation (Berrut and Trefethen 2004, SIAM Review 46:501).
struct Rule {
  Nodes at, weight, interpolation;
  Rule() {
    for (size_t k = 0; k < nodes; ++k) {
      const double angle = std::numbers::pi * (static_cast<double>(k) + 0.5) / nodes;
      double sum = 1;
      for (int j = 1; j <= static_cast<int>(nodes / 2); ++j) sum -= 2 * std::cos(2 * j * angle) / (4 * j * j - 1);
      at[k] = std::cos(angle);
      weight[k] = 2 * sum / nodes;
      interpolation[k] = (k % 2 == 0 ? 1 : -1) * std::sin(angle);
    }
  }
};

const Rule& rule() {
  static const Rule once;
  return once;
}

/// Node k of the range from low to high.
double node(double low, double high, size_t k) {
  return (low + high) / 2 + (high - low) / 2 * rule().at[k];
}

template <class Function>
double integral(double low, double high, Function function) {
  double sum = 0;
  for (size_t k = 0; k < nodes; ++k) sum += rule().weight[k] * function(node(low, high, k));
  return sum * (high - low) / 2;
}

double inverse_beta(double half) {  // 1 / B(1/2, half)
  return std::exp(std::lgamma(half + 0.5) - std::lgamma(half)) / std::sqrt(std::numbers::pi);
}

/// The studies in which no look has passed: the density of w on [low, high], over (1 - w^2)^((n - 3) / 2), at the
/// nodes.
struct Alive {
  int64_t n = 0;
  double low = -1, high = 1;
  Nodes shape{};

  double shape_at(double w) const {
    double above = 0, below = 0;
    for (size_t k = 0; k < nodes; ++k) {
      const double distance = w - node(low, high, k);
      if (distance == 0) return shape[k];
      above += rule().interpolation[k] / distance * shape[k];
      below += rule().interpolation[k] / distance;
    }
    return above / below;
  }
  double mass() const {
    return integral(low, high,
                    [&](double w) { return shape_at(w) * std::pow(1 - w * w, static_cast<double>(n - 3) / 2); });
  }
  /// Without those beyond the threshold of this look.
  Alive within(double new_low, double new_high) const {
    Alive fewer{n, new_low, new_high, {}};
    for (size_t k = 0; k < nodes; ++k) fewer.shape[k] = shape_at(node(new_low, new_high, k));
    return fewer;
  }
};

/// One seed more. For a given w_(n+1) the angles a are those whose w_n lies in [low, high]; each bound is a straight
/// line in (cos a, sin a), with its solutions in closed form.
double shape_after(const Alive& before, double w) {
  const auto n = static_cast<double>(before.n);
  const double reach = std::sqrt(n + 1) * w, upper = before.high, lower = before.low;
  const auto turn = [&](double bound) { return std::atan(std::sqrt(n) * std::abs(bound)); };
  const auto start = [&](double bound) {
    return std::asin(std::clamp(reach / std::hypot(1, std::sqrt(n) * bound), -1.0, 1.0));
  };
  const double first = std::max(start(upper) - turn(upper), turn(lower) - std::numbers::pi - start(lower));
  const double final = std::min(start(lower) + turn(lower), std::numbers::pi - start(upper) - turn(upper));
  if (final <= first) return 0;
  const double sum = integral(first, final, [&](double a) {
    const double c = std::cos(a), across = (reach - std::sin(a)) / std::sqrt(n);  // w_n cos(a)
    const double rest = std::max(0.0, c * c - across * across);
    return before.shape_at(std::clamp(across / c, lower, upper)) * std::pow(rest, (n - 3) / 2) * c;
  });
  return std::sqrt((n + 1) / n) * inverse_beta(n / 2) * sum / std::pow(1 - w * w, (n - 2) / 2);
}

Alive first_alive(int64_t n, double low, double high) {
  Alive alive{n, low, high, {}};
  alive.shape.fill(inverse_beta(static_cast<double>(n - 1) / 2));
  return alive;
}

Alive after(const Alive& before, double low, double high) {
  Alive alive{before.n + 1, low, high, {}};
  for (size_t k = 0; k < nodes; ++k) alive.shape[k] = shape_after(before, node(low, high, k));
  return alive;
}

/// w where a t test of n seeds has just this p.
double threshold(StagedTest test, double level, int64_t n) {
  const auto df = static_cast<double>(n - 1);
  const double t = -t_quantile(test == StagedTest::t ? level / 2 : level, df);
  return t / std::sqrt(df + t * t);
}

double spent_at(const StagedPlan& plan, int64_t n) {
  return plan.alpha * std::pow(static_cast<double>(n) / static_cast<double>(plan.n_most), spending_power);
}

/// Where a rising function passes 0, to 1e-9 of it; an end where it passes outside. Regula falsi, the end that stays
/// counting half (the Illinois rule: Dowell and Jarratt 1971, BIT 11:168).
template <class Rising>
double root(double low, double high, Rising rising) {
  double below = rising(low), above = rising(high);
  if (below >= 0) return low;
  if (above <= 0) return high;
  for (int moved = 0, step = 0; step < 100 && high - low > 1e-9 * high; ++step) {
    const double between = (low * above - high * below) / (above - below), value = rising(between);
    const int side = value < 0 ? -1 : 1;
    (side < 0 ? low : high) = between;
    (side < 0 ? below : above) = value;
    if (side == moved) (side < 0 ? above : below) /= 2;
    moved = side;
  }
  return low;
}

/// The level at every look up to n. Between what this look spends and all that is spent so far: looks overlap, but none
/// holds all before it.
std::vector<double> levels(const StagedPlan& plan, StagedTest test, int64_t n) {
  const auto low = [&](double high) { return test == StagedTest::t ? -high : -1.0; };
  std::vector<double> found{spent_at(plan, plan.n_least)};
  const double first = threshold(test, found[0], plan.n_least);
  Alive alive = first_alive(plan.n_least, low(first), first);
  for (int64_t now = plan.n_least + 1; now <= n; ++now) {
    const double least = spent_at(plan, now) - spent_at(plan, now - 1), widest = threshold(test, least, now);
    const Alive wide = after(alive, low(widest), widest);
    const auto too_much = [&](double level) {
      const double high = threshold(test, level, now);
      return 1 - wide.within(low(high), high).mass() - spent_at(plan, now);
    };
    found.push_back(root(least, spent_at(plan, now), too_much));
    const double high = threshold(test, found.back(), now);
    alive = wide.within(low(high), high);
  }
  return found;
}

void check_plan(const StagedPlan& plan) {
  check(plan.n_least >= 3 && plan.n_least <= plan.n_most, "[staged] needs 3 <= n_least <= n_most, got {} and {}",
        plan.n_least, plan.n_most);
  check(plan.alpha > 0 && plan.alpha < 0.5, "[staged] alpha must lie in (0, 1/2), got {}", plan.alpha);
}

}  // namespace

std::vector<Look> looks(const StagedPlan& plan) {
  check_plan(plan);
  const std::vector<double> t = levels(plan, StagedTest::t, plan.n_most),
                            tost = levels(plan, StagedTest::tost, plan.n_most);
  std::vector<Look> all;
  for (size_t i = 0; i < t.size(); ++i) {
    const int64_t n = plan.n_least + static_cast<int64_t>(i);
    all.push_back({n, spent_at(plan, n), t[i], tost[i], n == plan.n_most});
  }
  return all;
}

Look look_at(int64_t n_now, int64_t n_least, int64_t n_most, double alpha) {
  const StagedPlan plan{n_least, n_most, alpha};
  check_plan(plan);
  check(n_now <= n_most, "[staged] the plan ends at {} seeds, got {}", n_most, n_now);
  if (n_now < n_least) return {n_now, 0, 0, 0, false};
  return {n_now, spent_at(plan, n_now), levels(plan, StagedTest::t, n_now).back(),
          levels(plan, StagedTest::tost, n_now).back(), n_now == n_most};
}

double staged_p(double p, StagedTest test, const StagedPlan& plan, int64_t n) {
  constexpr double most = 0.4999;
  StagedPlan tried{plan.n_least, plan.n_most, most};
  check_plan(tried);
  check(n <= plan.n_most, "[staged] the plan ends at {} seeds, got {}", plan.n_most, n);
  if (std::isnan(p)) return p;
  if (n < plan.n_least) return 1;
  if (p <= 0) return 0;
  // The level lies between what this look spends and all that is spent so far, and both are straight lines in alpha.
  tried.alpha = 1;
  const double so_far = spent_at(tried, n), here = n == plan.n_least ? so_far : so_far - spent_at(tried, n - 1);
  const double least = p / so_far, largest = std::min(p / here, most);
  const auto short_of = [&](double alpha) {
    tried.alpha = alpha;
    return levels(tried, test, n).back() - p;
  };
  if (least >= most || short_of(largest) < -1e-9 * p) return 1;
  return root(least, largest, short_of);
}

}  // namespace absorb
