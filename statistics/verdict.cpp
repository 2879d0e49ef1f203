#include "statistics/verdict.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/numbers.h"

namespace absorb {
namespace {

int sign(double value) {
  return (value > 0) - (value < 0);
}

double larger(double a, double b) {  // NaN if either is: a test that was not made has not passed
  return std::isnan(a) || std::isnan(b) ? nan : std::max(a, b);
}

bool too_few(const Evidence& evidence) {
  return evidence.n < (evidence.positive_control ? positive_control_n : verdict_n);
}

}  // namespace

std::string_view name(Verdict verdict) {
  switch (verdict) {
    case Verdict::different:
      return "different";
    case Verdict::different_within_margin:
      return "different-within-margin";
    case Verdict::equivalent:
      return "equivalent";
    case Verdict::undecided:
      return "undecided";
    case Verdict::undecided_n:
      return "undecided (n)";
    case Verdict::scale_dependent:
      return "scale-dependent";
  }
  throw InternalError("[name] unknown verdict");
}

Verdict verdict(const Evidence& evidence, double alpha) {
  if (too_few(evidence)) return Verdict::undecided_n;
  const bool different = evidence.p_t <= alpha, equivalent = evidence.p_tost <= alpha;
  if (different && equivalent) return Verdict::different_within_margin;
  if (different) return Verdict::different;
  return equivalent ? Verdict::equivalent : Verdict::undecided;
}

Verdict severity_verdict(const Evidence& fraction, const Evidence& nats, double alpha) {
  if (too_few(fraction) || too_few(nats)) return Verdict::undecided_n;
  if (std::isnan(fraction.mean) || std::isnan(nats.mean)) return Verdict::undecided;
  if (sign(fraction.mean) != sign(nats.mean)) return Verdict::scale_dependent;
  Evidence both = nats;
  both.n = std::min(fraction.n, nats.n);
  both.p_t = larger(fraction.p_t, nats.p_t);
  both.p_tost = larger(fraction.p_tost, nats.p_tost);
  return verdict(both, alpha);
}

}  // namespace absorb
