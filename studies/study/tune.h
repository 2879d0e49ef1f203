// [tune]: each arm takes its best of a grid, chosen on seeds that no contrast uses. The grid is a study of its own,
// "<name>-tune", so that it is resumed, shared by workers and looked at as any other.
#pragma once

#include "studies/study/study.h"

namespace absorb {

TuneSpec read_tune(const Settings& table);
Settings write_tune(const TuneSpec& tune);
std::vector<TunedSpec> read_tuned(const std::vector<Settings>& tables);
Json write_tuned(const TunedSpec& tuned);

/// UserError for seeds that the study's own contrasts use, a key that is an axis or that an arm sets itself, and keys
/// outside [training], [routing] and [model].
void check_tune(const Study& study, const Settings& table);

/// The grid as a study: its seeds, its keys as axes behind the study's own, no contrasts.
Study tuning_study(const Study& study);

/// What was chosen for this arm, target and cell; null where nothing was. A choice whose cell has fewer axes (the dense
/// arm's) fits every cell that holds it.
const TunedSpec* tuned_for(const Study& study, const std::string& arm, const std::string& target,
                           const std::map<std::string, std::string>& cell);

}  // namespace absorb
