// Holm's step-down adjustment over the primary contrasts of a study: once for their t tests, once for their TOSTs.
#pragma once

#include <span>
#include <vector>

namespace absorb {

/// Adjusted p in the order given: max over j <= i of min(1, (m - j + 1) p_(j)) (Holm 1979; docs/science.md section 6).
/// A NaN (a contrast without a p yet) stays NaN and still counts as one of the m, as it was announced.
std::vector<double> holm(std::span<const double> p);

}  // namespace absorb
