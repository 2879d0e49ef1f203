// result.json: what training and the evaluation after it left of a run. Losses in nats per token. What a run was found
// to be is one number here, and one line in the list of result.cpp: results.json, runs.csv and docs/folder.md follow.
#pragma once

#include <limits>

#include "studies/folder/fields/record_fields.h"
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
void fields(RecordFields& list, SiteHealth& health);
void fields(RecordFields& list, ParameterCounts& counts);

struct ResultRecord {
  double val_loss = 0, test_loss = 0;  // NaN unless done
  double bits_per_byte = 0;            // NaN unless tokens are bytes
  int64_t val_tokens = 0;
  /// Of the best guess that reads nothing, over the valid text; NaN in runs of before it was written.
  double chance = std::numeric_limits<double>::quiet_NaN();
  /// Valid loss by deployment: "native"; routed arms "swap" (all routers replaced by matched random draws),
  /// "swap_calibrated" (its logits at the best temperature, of which the first draws tell what it saves), in target
  /// both also "swap_attention" and "swap_moe"; the dense arm "oracle_top_k" and "random_top_k".
  std::map<std::string, double> evaluations;
  std::map<std::string, double> swap_sd;    // by swap: over its draws (routing.swap_draws), nested in this run
  double mass_top_k = 0, mass_uniform = 0;  // dense arm: attention mass in the top k (queries t >= k); NaN otherwise
  int64_t top_k = 0;
  std::vector<SiteHealth> health;
  double router_displacement = 0;  // |now - initial| / |initial| of router parameters; NaN without any
  ParameterCounts parameters;
  double flops_per_token = 0;  // forward, active
};
void fields(RecordFields& list, ResultRecord& result);

}  // namespace absorb
