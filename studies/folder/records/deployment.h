// deployments/<key>.json: a trained run evaluated under another routing, one [[deployment]] of the study.
#pragma once

#include "core/numbers.h"
#include "studies/folder/fields/record_fields.h"
#include "studies/folder/records/information.h"

namespace absorb {

/// Mask agreement with the oracle of one kind of routing (science.md section 4): how far what a routing keeps is what
/// the layer itself would, its top choices by QK^T, or by the experts' gains.
struct AgreementRecord {
  double f1 = 0, jaccard = 0;  // with the oracle's mask of the same budget; NaN for a routing without one
  double retained_mass = 0;    // share of the layer's own softmax (of gain / tau for experts) on what is kept
  double oracle_mass = 0;      // the same for the oracle's mask: nothing of this size can hold more; NaN without budget
  double density = 0;          // share of the visible choices that are kept
};
void fields(RecordFields& list, AgreementRecord& agreement);

struct DeploymentRecord {
  std::string deployment;                                // its name in the study
  std::string identity;                                  // of the task that it answers
  double native = nan;                                   // nats per token, as the run was trained
  double closed = nan;                                   // deployed; NaN where not asked for
  double open = nan;                                     // the same
  double compounding = nan;                              // closed gap over open gap; NaN unless both
  std::vector<double> hardening;                         // loss with the first r layers deployed, r = 0 ... layers
  std::map<std::string, AgreementRecord> agreement;      // by "attention", "moe"
  std::map<std::string, double> gain_correlation;        // by site of experts
  std::map<std::string, InformationRecord> information;  // by "attention", "moe"; empty where not asked for
  double loss() const;                                   // closed, or open where only that was asked for
};
void fields(RecordFields& list, DeploymentRecord& deployment);

}  // namespace absorb
