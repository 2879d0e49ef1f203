// What only looks at order: rank correlation, and how well a number tells two kinds apart. Equal values share the mean
// of the ranks that they take up together.
#pragma once

#include <span>
#include <vector>

namespace absorb {

/// 1 for the smallest; ties take the mean of their places. A NaN has no place: InternalError.
std::vector<double> ranks(std::span<const double> values);

/// Spearman's rank correlation: Pearson's of the ranks, which is the form that stays right with ties. NaN for fewer
/// than two pairs and where one side is all equal; InternalError where the lengths differ.
double spearman(std::span<const double> a, std::span<const double> b);

/// Area under the ROC curve: the chance that a value of a planted element lies above that of one which isn't, where a
/// tie counts half (Mann and Whitney's U over the number of pairs). NaN unless there are both kinds; InternalError
/// where the lengths differ.
double auc(std::span<const double> values, const std::vector<bool>& planted);

}  // namespace absorb
