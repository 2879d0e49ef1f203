// Two synthetic tasks in one: what is planted in each is planted in known proportion.
#pragma once

#include "training/data/tasks/codes.h"
#include "training/data/tasks/recall.h"
#include "training/data/tasks/rule.h"

namespace absorb {

struct MixtureSettings {
  std::vector<std::string> of = {"recall", "codes"};
  RecallSettings recall;
  CodesSettings codes;
  RuleSettings rule;
};
void fields(Fields& list, MixtureSettings& data);

/// Each sequence is one of a task in `of`, drawn in proportion to the tasks' `sequences`. T is the longest task's; a
/// shorter sequence is followed by tokens without targets. Ids: those of the first task, then those of the next.
/// UserError unless `of` names two different tasks at least.
std::shared_ptr<const Task> make_mixture(const MixtureSettings& data, uint64_t seed);

void add_mixture(DataSources& sources);

}  // namespace absorb
