// Routing information (docs/science.md section 4): how many bits a run's decisions say of what would have helped. The
// label is another run's, trained independently (another seed): the run's own gains grew together with its routing.
// Surprising: pairs of query and key are compared at one pair of positions over many sequences, each pair of positions
// a stratum. Given the distance alone a random mask would tell of the label, since early queries keep most of their
// keys under any mask of a fixed budget.
#pragma once

#include "statistics/counting/information.h"
#include "studies/folder/records/information.h"
#include "studies/run/live_run.h"

namespace absorb {

struct InformationRequest {
  int64_t tokens = 65'536;        // of valid text, with a target: what both runs read
  int64_t observations = 32'768;  // of a site, about: tokens (experts), pairs (attention)
  int64_t permutations = information_permutations;
  uint64_t key = 0;  // names what is drawn: places and permutations. The same one compares runs at the same places
};

/// What was seen at one site, element i of all from observation i. A plain table of numbers, whatever made them.
struct ObservedChoices {
  bool attention = false;
  int64_t kinds = 2;  // labels are below it
  Tensor decisions;   // [n] int64: expert of the largest weight, or 1 for a kept key
  Tensor labels;      // [n] int64: expert of the largest gain, or 1 for a key of the top k
  Tensor strata;      // [n] int64: 0 for experts
  Tensor features;    // [n,F] float: the router's input x_t, or x_t, x_s and x_t x_s by element
  Tensor fit;         // [n] bool: what the probe is fitted on; the others are its test
};

/// Counted pairs, a table a stratum: decisions against labels of all, the probe's predictions against labels of those
/// held out (none where either part is empty).
struct InformationTables {
  std::vector<CountTable> decision, ceiling;
};
/// InternalError without any observation.
InformationTables count_choices(const ObservedChoices& seen);
SiteInformation site_information(const InformationTables& tables, int64_t permutations, uint64_t key);

/// By kind ("attention", "moe") what `run` decides under `routes`, against what would have helped `independent`, a run
/// of the same target and sizes, under its own routes. Both read the first valid text of `data`, which both must have
/// learned: a task whose table belongs to the seed (`rule`, `codes`) has no run of another seed that did.
/// Experts: the kept expert of the largest weight (of the largest score where all kept weigh the same), against the
/// expert of the largest expected gain (transformer/gains.h); tokens that no expert would help are left out.
/// Attention: for keys s < t of queries that see more keys than the budget, whether one head, drawn with the pair of
/// positions, keeps s, against whether s is in the top k of the independent run's softmax(QK^T), meaned over its heads.
/// k and `self` are those of the run's selection.
/// A site is absent where there is no budget or no query beyond it, where attention has no QK^T of its own, and where
/// no token has a gain. The weights of neither run change. UserError where the two runs don't fit.
std::map<std::string, InformationRecord> routing_information(const LiveRun& run, const Routes& routes,
                                                             const LiveRun& independent, const Dataset& data,
                                                             const InformationRequest& request = {});

}  // namespace absorb
