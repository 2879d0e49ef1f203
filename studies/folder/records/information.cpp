#include "studies/folder/records/information.h"

namespace absorb {

void fields(RecordFields& list, BitsRecord& bits) {
  list.field("n", bits.n, "Observations: tokens for experts, pairs of query and key for attention.");
  list.field("decision_entropy", bits.decision_entropy, "Of what was decided, bits, given the stratum.");
  list.field("label_entropy", bits.label_entropy, "Of what would have helped, bits, given the stratum.");
  list.field("plug_in", bits.plug_in, "Information of one about the other as counted, bits.");
  list.field("corrected", bits.corrected, "The same less Miller's correction: the estimate.");
  list.field("null_mean", bits.null_mean, "What permuted labels give as counted, mean.");
  list.field("null_95", bits.null_95, "The same, 95 % quantile.");
  list.field("p", bits.p, "One-sided, by permutation.");
}

void fields(RecordFields& list, SiteInformation& information) {
  nested(list, "decision", information.decision, "What the routing's decisions say of the labels.");
  nested(list, "ceiling", information.ceiling, "What a linear probe of the router's input says on held-out text.");
}

void fields(RecordFields& list, InformationRecord& information) {
  nested(list, "decision", information.decision, "What the routing's decisions say of the labels, given the site.");
  nested(list, "ceiling", information.ceiling, "What linear probes of the routers' input say, given the site.");
  nested(list, "sites", information.sites, "Both by site.");
}

}  // namespace absorb
