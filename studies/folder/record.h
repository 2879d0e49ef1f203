// What one run left behind, as the analysis and the report read it: everything comes from the run's folder, so that a
// report needs neither a model nor a GPU.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "studies/folder/records/deployment.h"
#include "studies/folder/records/plan.h"
#include "studies/folder/records/result.h"

namespace absorb {

/// One account of a training step.
struct AccountPoint {
  int64_t step = 0;
  std::map<std::string, double> values;  // "grad_norm/router", "density/<site>", "router_displacement"
  std::vector<std::string> zero_gradient;
};

struct CurvePoint {
  int64_t step = 0, tokens = 0;
  double train_loss = 0;  // mean since the previous point
  double val_loss = 0;
};

/// One [[deployment]] of a run, with what its tensors hold.
struct DeployedRecord : DeploymentRecord {
  std::vector<double> document_losses;  // summed nats, the documents of the run's record
};

/// What result.json says of a run, and all else that its folder holds.
struct RunRecord : ResultRecord {
  std::string arm, target;
  std::map<std::string, std::string> cell;  // axis key -> value
  int64_t seed = 0;
  Path folder;
  std::string state;    // "done", "failed", "running", "interrupted", "waiting"
  std::string failure;  // one line, for failed

  double tokens_per_sec = 0, seconds = 0;
  std::vector<CurvePoint> curve;
  std::vector<AccountPoint> accounts;
  std::map<std::string, DeployedRecord> deployments;  // by key: name, or name.arm for a matrix
  std::vector<int64_t> documents;                     // of the valid text
  std::vector<double> document_losses;                // summed nats
  std::vector<int64_t> document_tokens;
  Json provenance;  // run.json: argv, version, commit, hashes, device, host, times
};

/// Reads a run folder; `state` says how far it got. UserError with the file and the key where a record is damaged or of
/// a later format.
RunRecord read_record(const Path& folder);
/// The record of a planned run that has not begun.
RunRecord waiting_record(const PlannedRun& run);
/// Records of all planned runs of a study's folder. Results of deployments that it plans no more, or otherwise, are
/// left out.
std::vector<RunRecord> read_records(const Path& study, const PlanRecord& plan);

}  // namespace absorb
