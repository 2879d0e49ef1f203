// The words that a report may use, and when. Surprising: there is no verdict below five seeds, however small the p;
// only the positive control, which was planted, may decide with three.
#pragma once

#include <cstdint>
#include <string_view>

namespace absorb {

enum class Verdict { different, different_within_margin, equivalent, undecided, undecided_n, scale_dependent };

/// "different", "different-within-margin", "equivalent", "undecided", "undecided (n)", "scale-dependent".
std::string_view name(Verdict verdict);

inline constexpr int64_t verdict_n = 5, positive_control_n = 3;

/// What a verdict rests on. The p are adjusted by Holm over the primary contrasts; NaN for a test that was not made.
struct Evidence {
  int64_t n = 0;
  double mean = 0;  // its sign is compared between the scales of a severity
  double p_t = 0;
  double p_tost = 0;
  bool positive_control = false;
};

/// docs/science.md section 6: a test passes when its p <= alpha. Both pass: different-within-margin.
Verdict verdict(const Evidence& evidence, double alpha = 0.05);

/// Severity between two targets (docs/science.md section 4) from its two scales, R_attention - R_moe and gap_moe -
/// gap_attention in nats. Where their signs differ: scale-dependent. Otherwise a test passes only if it passes on both
/// scales. A mean that is NaN (R undefined) leaves it undecided; too few seeds come first.
Verdict severity_verdict(const Evidence& fraction, const Evidence& nats, double alpha = 0.05);

}  // namespace absorb
