// What the tables of a study file must say of each other: no arm, deployment or contrast may fall out in silence.
#pragma once

#include "studies/study/study.h"

namespace absorb {

/// UserError unless every target is known and named once. `where` holds the list under `key`.
void check_targets(const Settings& where, const std::string& key, const std::vector<std::string>& targets);
/// The arms as a graph: every `from` and `moments_of` names another arm, and none waits for itself. `tables`: each
/// arm's, for the place in messages.
void check_parents(const std::vector<Settings>& tables, const std::vector<ArmSpec>& arms);
/// Everything that is asked for is run somewhere: arms and deployments in targets of the study, both arms of a contrast
/// (under its deployment) in one target, the arms that drift is measured from. `all` is the whole file.
void check_study(const Study& study, const Settings& all);

}  // namespace absorb
