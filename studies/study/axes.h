// Axes of a study file, and of its [tune]: keys and the values that they take.
#pragma once

#include "studies/study/study.h"

namespace absorb {

/// UserError for two axes of one key, values or labels that stand twice, and labels that other tools take for missing.
std::vector<AxisSpec> read_axes(const std::vector<Settings>& tables);
Json write_axis(const AxisSpec& axis);
/// "/training/learning_rate" of "training.learning_rate", as a flattened JSON names it.
std::string pointer_of(const std::string& key);

/// What pandas and R read as a missing value.
bool means_missing(const std::string& name);
/// The array of strings under a key; empty where there is none. UserError for anything else.
std::vector<std::string> patterns(const Settings& table, const std::string& key);

}  // namespace absorb
