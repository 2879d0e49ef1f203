// What stands on a contrast between an arm and its random twin: swap costs, R and R_net, V_stable and S
// (docs/science.md section 4).
#pragma once

#include "studies/analysis/analysis.h"
#include "studies/analysis/groups.h"

namespace absorb {

using Runs = std::vector<const RunRecord*>;

struct Pairs {
  Runs treatment, control;  // element i of both from the same seed
};

/// Groups of the arms that stand beside treatment and control; null: no such arm there.
struct ThirdArms {
  const RunGroup *redrawn = nullptr, *always = nullptr;
};

/// Whether the control is the treatment with its routers frozen, and nothing else, by what the study says of both.
bool is_twin(const Study& study, const std::string& treatment, const std::string& control, const std::string& target);
/// Fills swap costs, lock-in, R and R_net over the seeds for which swaps were evaluated, V_stable and S, and A, over
/// those that the third arm has, too, and whether the treatment was one.
void add_absorption(ContrastResult& result, const Pairs& pairs, const ThirdArms& third);
/// None of these, where the losses are those of a deployment.
void without_absorption(ContrastResult& result);

}  // namespace absorb
