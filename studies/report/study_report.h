// All that a study's page, table and files are made of. It comes from the study's folder alone: no model, data or GPU.
#pragma once

#include "studies/analysis/analysis.h"
#include "studies/analysis/compensation/results.h"
#include "studies/folder/records/plan.h"

namespace absorb {

struct StudyReport {
  Study study;
  MethodsWords methods;
  std::vector<RunRecord> records;
  StudyAnalysis analysis;
  CompensationResults compensation;
};

}  // namespace absorb
