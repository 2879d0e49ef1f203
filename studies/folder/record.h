// What one run left behind, as the analysis and the report read it: everything comes from the run's folder, so that a
// report needs neither a model nor a GPU.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/settings.h"
#include "tensors/parameters.h"

namespace absorb {

/// Routing health of one site over the valid text (science.md section 4), for the route the run trained with.
struct SiteHealth {
  std::string site;
  double load_imbalance = 0;  // largest over mean count of a choice (experts); NaN for attention
  double entropy = 0;         // nats, of the normalised weights of an item, mean
  double dead_choices = 0;    // share of experts that no item keeps; NaN for attention
  double density = 0;         // mean weight over visible choices
  double margin = 0;          // k-th minus (k+1)-th score, mean; NaN without a budget
  double saturation = 0;      // share of sigmoid weights below 0.01 or above 0.99; NaN for other weights
  double score_mean = 0, score_sd = 0;
};

/// Mask agreement with the oracle of one kind of routing (science.md section 4).
struct AgreementRecord {
  double f1 = 0, jaccard = 0, retained_mass = 0, oracle_mass = 0, density = 0;
};

/// One [[deployment]] of a run.
struct DeploymentRecord {
  std::string deployment;                            // its name in the study
  double closed = 0, open = 0;                       // nats per token; NaN where not asked for
  double compounding = 0;                            // closed gap over open gap; NaN unless both were asked for
  std::vector<double> hardening;                     // loss with the first r layers deployed, r = 0 ... layers
  std::map<std::string, AgreementRecord> agreement;  // by "attention", "moe"
  std::map<std::string, double> gain_correlation;    // by site of experts
  std::vector<double> document_losses;               // summed nats, the documents of the run's record
  double loss() const;                               // closed, or open where only that was asked for
};

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

struct RunRecord {
  std::string arm, target;
  std::map<std::string, std::string> cell;  // axis key -> value
  int64_t seed = 0;
  Path folder;
  std::string state;    // "done", "failed", "running", "interrupted", "waiting"
  std::string failure;  // one line, for failed

  double val_loss = 0, test_loss = 0;  // nats per token; NaN unless done
  double bits_per_byte = 0;            // NaN unless tokens are bytes
  /// Valid loss by deployment: "native"; routed arms "swap" (all routers replaced by matched random draws), in target
  /// both also "swap_attention" and "swap_moe"; the dense arm "oracle_top_k" and "random_top_k".
  std::map<std::string, double> evaluations;
  double mass_top_k = 0, mass_uniform = 0;  // dense arm: attention mass in the top k (queries t >= k); NaN otherwise
  int64_t top_k = 0;
  std::vector<SiteHealth> health;
  double router_displacement = 0;  // |now - initial| / |initial| of router parameters; NaN without any

  ParameterCounts parameters;
  double flops_per_token = 0;  // forward, active
  double tokens_per_sec = 0, seconds = 0;
  std::vector<CurvePoint> curve;
  std::vector<AccountPoint> accounts;
  std::map<std::string, DeploymentRecord> deployments;  // by key: name, or name.arm for a matrix
  std::vector<int64_t> documents;                       // of the valid text
  std::vector<double> document_losses;                  // summed nats
  std::vector<int64_t> document_tokens;
  Json provenance;  // run.json: argv, version, commit, hashes, device, host, times
};

/// Reads a run folder; `state` says how far it got.
RunRecord read_record(const Path& folder);

}  // namespace absorb
