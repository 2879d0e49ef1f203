// The list of what exists: a new type is one header, one source and one line here.
#include "router/losses/balance.h"
#include "router/losses/distill.h"
#include "router/losses/sparsity.h"
#include "router/route.h"
#include "router/routers/bilinear.h"
#include "router/routers/block_mean.h"
#include "router/routers/controls.h"
#include "router/routers/cosine.h"
#include "router/routers/hash.h"
#include "router/routers/linear.h"
#include "router/routers/mlp.h"
#include "router/routers/positional.h"
#include "router/selections/keep_all.h"
#include "router/selections/loss_free.h"
#include "router/selections/threshold.h"
#include "router/selections/top_k.h"

namespace absorb {

void add_builtin(Registries& all) {
  add_bilinear(all.routers);
  add_linear(all.routers);
  add_mlp(all.routers);
  add_cosine(all.routers);
  add_positional(all.routers);
  add_hash(all.routers);
  add_block_mean(all.routers);
  add_controls(all.routers);
  add_keep_all(all.selections);
  add_top_k(all.selections);
  add_threshold(all.selections);
  add_loss_free(all.selections);
  add_balance(all.losses);
  add_distill(all.losses);
  add_sparsity(all.losses);
}

Registries& registries() {
  static Registries all = [] {
    Registries built;
    add_builtin(built);
    return built;
  }();
  return all;
}

namespace {

// `losses = { z_loss = 0.001 }` is short for `losses = { z_loss = { coefficient = 0.001 } }`.
Typed resolve_loss(const std::string& name, const Settings& losses) {
  Settings table = losses.value().at(name).is_number()
                       ? Settings::from_json({{"coefficient", losses.value().at(name)}}, losses.where(name))
                       : losses.table(name);
  table.merge(Settings::from_json({{"type", name}}, losses.where(name)));
  return registries().losses.resolve(table);
}

}  // namespace

void fields(Fields& list, ChoiceSettings& s) {
  list.field("redraw_every", s.redraw_every, {0, 1 << 30},
             "A frozen router's choice is drawn anew after so many steps, and weighed by the router as it is; where "
             "everything is kept, its scores are drawn anew. 0: never.");
  list.field("lag", s.lag, {0, 100000},
             "The choice is that of the router's weights so many steps ago (above 50: up to 2 % more), weighed by the "
             "weights of now. 0: none.");
}

void fields(Fields& list, RoutingSettings& s) {
  list.typed(
      "router", s.router, [](const Settings& t) { return registries().routers.resolve(t); },
      "What scores the choices: `absorb list routers`.");
  list.typed(
      "selection", s.selection, [](const Settings& t) { return registries().selections.resolve(t); },
      "What selects among the scored choices: `absorb list selections`.");
  nested(list, "choose", s.choose, "What chooses, where it isn't the router as it stands.");
  list.typed(
      "weigh", s.weigh, [](const Settings& t) { return registries().routers.resolve(t); },
      "A second router, always learned, that weighs what the router chose; absent: the router does. With "
      "gradient = \"straight_through\" the choice learns through the sigmoid of its scores.");
  list.tables("losses", s.losses, resolve_loss, registries().losses.names(),
              "Losses on the routing by name, with a coefficient or a table: `absorb list losses`.");
  list.field("frozen", s.frozen, "The router keeps its initial draw; gradients still pass through it to its input.");
  list.field("draw", s.draw, {0, 1 << 20},
             "Which random draw the router's initial weights are: arms that differ in it alone are A/A.");
  list.field("swap_draws", s.swap_draws, {1, 1000},
             "Matched random draws that stand in for the trained router after training; a swap costs their mean.");
  list.field("detach_input", s.detach_input, "The router sees its input without a gradient path back into it.");
  list.field("temperature", s.temperature, {1e-6, 1e6}, "Scores are divided by it.");
  list.field("noise", s.noise, {0, 1e6}, "Standard deviation of Gaussian noise added to scores in training.");
  list.field("score_sd", s.score_sd, {0, 1e3}, "Standard deviation of the scores at the start; 0: weights N(0, 0.02).");
  list.field("shuffled", s.shuffled, "Each sequence is routed by the scores of another one of its batch.");
  list.field("allow_noncausal", s.allow_noncausal,
             "Lets later tokens decide how earlier ones are routed, which nobody has when a text is written. Tables "
             "and pages say so.");
  list.field("moments_of", s.moments_of, "Scores are rescaled to the mean and sd that this arm's router ended with.");
  list.field("apply", s.apply, {"scale_logits", "log_bias", "post_softmax"},
             "Attention: weights multiply the logits (the paper), multiply exp(logits), or multiply the softmax.");
  list.field("layers", s.layers, {0, 1023},
             "Layers that are routed, from 0; attention of the others is dense, and they hold no experts. Empty: all.");
}

void require_sense(const RoutingSettings& s) {
  require(s.choose.redraw_every == 0 || s.frozen,
          "routing.choose.redraw_every draws a frozen router anew: say routing.frozen = true, or leave it out");
  require(s.choose.lag == 0 || !s.frozen,
          "routing.choose.lag takes the choice from what the router was, and a frozen router never was another");
  require(s.weigh.type.empty() || registries().routers.traits(s.weigh.type).learns,
          "routing.weigh is a router that learns to weigh what another chose, and \"{}\" learns nothing: name another "
          "one, or leave it out",
          s.weigh.type);
}

}  // namespace absorb
