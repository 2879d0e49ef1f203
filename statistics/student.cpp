#include "statistics/student.h"

#include <boost/math/distributions/students_t.hpp>
#include <cmath>

#include "core/error.h"

namespace absorb {

double t_quantile(double p, double df) {
  check(p > 0 && p < 1 && df > 0, "[t_quantile] needs p in (0, 1) and df > 0, got p = {}, df = {}", p, df);
  return boost::math::quantile(boost::math::students_t(df), p);
}

double t_upper_tail(double t, double df) {
  check(df > 0, "[t_upper_tail] needs df > 0, got {}", df);
  if (std::isnan(t)) return t;
  if (std::isinf(t)) return t > 0 ? 0.0 : 1.0;
  return boost::math::cdf(boost::math::complement(boost::math::students_t(df), t));
}

double t_two_sided(double t, double df) {
  return 2 * t_upper_tail(std::abs(t), df);
}

}  // namespace absorb
