#include "studies/folder/records/deployment.h"

#include <cmath>

namespace absorb {

void fields(RecordFields& list, AgreementRecord& agreement) {
  list.field("f1", agreement.f1, "Of the kept choices against the oracle's of the same budget; null without one.");
  list.field("jaccard", agreement.jaccard, "Shared over all choices of both.");
  list.field("retained_mass", agreement.retained_mass, "Share of the layer's own preference on what is kept.");
  list.field("oracle_mass", agreement.oracle_mass, "The same for the oracle's choices.");
  list.field("density", agreement.density, "Share of the visible choices that are kept.");
}

void fields(RecordFields& list, DeploymentRecord& deployment) {
  list.field("deployment", deployment.deployment, "Its name in the study; the file has its key.");
  list.field("identity", deployment.identity, "Hash of all that it depends on: another one is evaluated anew.");
  list.field("native", deployment.native,
             About("Loss as the run was trained, nats per token.").optional().unpublished());
  list.field("closed", deployment.closed, About("Loss under the deployment.").optional().as("closed_loss"));
  list.field("open", deployment.open,
             About("The same with routings recorded from the native pass.").optional().as("open_loss"));
  list.field("compounding", deployment.compounding, About("Closed gap over open gap.").optional());
  list.field("hardening", deployment.hardening, About("Loss with the first r layers deployed, r from 0.").optional());
  nested(list, "agreement", deployment.agreement, "With the oracle's choices, by attention and moe.");
  list.field("gain_correlation", deployment.gain_correlation,
             About("Expected against measured gains of experts, by site.").optional());
  nested(list, "information", deployment.information,
         About("What the decisions say of what would have helped, in bits, by attention and moe.").optional());
}

double DeploymentRecord::loss() const {
  return std::isfinite(closed) ? closed : open;
}

}  // namespace absorb
