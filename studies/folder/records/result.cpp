#include "studies/folder/records/result.h"

namespace absorb {

void fields(RecordFields& list, SiteHealth& health) {
  list.field("site", health.site, "Layer and kind, such as 1.attention.");
  list.field("load_imbalance", health.load_imbalance, "Largest over mean count of an expert; null for attention.");
  list.field("entropy", health.entropy, About("Of an item's normalised weights, mean, in nats.").as("router_entropy"));
  list.field("dead_choices", health.dead_choices, "Share of experts that no item keeps; null for attention.");
  list.field("density", health.density, "Mean weight over visible choices.");
  list.field("margin", health.margin, "k-th minus (k+1)-th score, mean; null without a budget.");
  list.field("saturation", health.saturation, "Share of sigmoid weights below 0.01 or above 0.99; null for others.");
  list.field("score_mean", health.score_mean, "Mean of the scores.");
  list.field("score_sd", health.score_sd, "Their standard deviation.");
}

void fields(RecordFields& list, ParameterCounts& counts) {
  list.field("unique", counts.unique, "Every stored number once.");
  list.field("untied", counts.untied, "The tied embedding counted twice.");
  list.field("non_embedding", counts.non_embedding, "Without token and position embeddings.");
  list.field("module", counts.module, "What the routers steer: Q, K, V of routed attention, experts of routed MoE.");
  list.field("router", counts.router, "Of the routers.");
  list.field("trained", counts.trained, "That training could move.");
}

void fields(RecordFields& list, ResultRecord& result) {
  list.field("val_loss", result.val_loss, "Loss on all valid text.");
  list.field("bits_per_byte", result.bits_per_byte,
             About("The same in bits per byte; null unless that is known of the tokens.").as("bpb"));
  list.field("test_loss", result.test_loss, "Loss on the test text; null where there is none.");
  list.field("val_tokens", result.val_tokens, About("Tokens of the valid text.").unpublished());
  list.field("chance", result.chance,
             About("Valid loss of the best guess that reads nothing, the entropy of the targets; absent before it was "
                   "written.")
                 .optional()
                 .unpublished());
  list.field("evaluations", result.evaluations, "Valid loss under each routing that comes with every run.");
  list.field(
      "swap_sd", result.swap_sd,
      About("Standard deviation of each swap's loss over its draws; absent before absorb made several.").optional());
  nested(list, "parameters", result.parameters, "How many there are, by what is counted.");
  list.field("flops_per_token", result.flops_per_token, "Operations of a forward pass that are active.");
  list.field("router_displacement", result.router_displacement,
             "How far router parameters moved, relative to their initial size; null without any.");
  list.field("top_k", result.top_k, "k of the concentration line.");
  list.field("mass_top_k", result.mass_top_k, "Dense arm: attention's mass on the top k keys; null otherwise.");
  list.field("mass_uniform", result.mass_uniform, "The same for uniform attention.");
  nested(list, "health", result.health, "Routing health, by site.");
}

}  // namespace absorb
