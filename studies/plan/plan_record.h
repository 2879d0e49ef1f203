// A plan as its folder keeps it: plan.json (studies/folder/records/plan.h).
#pragma once

#include "studies/folder/records/plan.h"
#include "studies/plan/plan.h"

namespace absorb {

PlanRecord plan_record(const Study& study, const RunPlan& plan);
/// What the page's methods say of data, model and training: of the study's own tables, as every arm shares them.
MethodsWords methods_words(const Settings& base);

}  // namespace absorb
