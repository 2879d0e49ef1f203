// Routing information of one kind of routing (docs/science.md section 4): how many bits what was decided says of what
// would have helped, by a label from an independently trained model, beside what a probe reads out of the routers'
// input.
#pragma once

#include "core/numbers.h"
#include "studies/folder/fields/record_fields.h"

namespace absorb {

/// One estimate in bits an observation, as statistics/counting/information.h defines it; n = 0 and NaN where nothing
/// could be observed.
struct BitsRecord {
  int64_t n = 0;                                       // tokens (experts) or pairs of query and key (attention)
  double decision_entropy = nan, label_entropy = nan;  // plug-in; information exceeds neither
  double plug_in = nan;                                // counted
  double corrected = nan;                              // less Miller's correction: the estimate
  double null_mean = nan, null_95 = nan;               // plug-in, of permuted labels: mean and 95 % quantile
  double p = nan;                                      // share of permutations that reach the plug-in
};
void fields(RecordFields& list, BitsRecord& bits);

struct SiteInformation {
  BitsRecord decision;  // what the routing's decisions say of the labels
  BitsRecord ceiling;   // what a linear probe of the router's input, fitted on the other half of the text, says
};
void fields(RecordFields& list, SiteInformation& information);

struct InformationRecord {
  BitsRecord decision, ceiling;                  // given the site: the sites', weighted by their observations
  std::map<std::string, SiteInformation> sites;  // by site
};
void fields(RecordFields& list, InformationRecord& information);

}  // namespace absorb
