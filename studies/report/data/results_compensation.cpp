#include "studies/analysis/compensation/summaries.h"
#include "studies/report/data/json_values.h"
#include "studies/report/data/results.h"

namespace absorb {
namespace {

Json of_row(const AttributionRow& row) {
  return {{"quantity", row.quantity},   {"unit", row.unit},        {"seeds", row.seeds},
          {"attention", row.attention}, {"moe", row.moe},          {"mean", value(row.mean)},
          {"sd", value(row.sd)},        {"ci95", value(row.ci95)}, {"p_t", value(row.p_t)}};
}

Json of_attribution(const Attribution& a) {
  Json rows = Json::array();
  for (const AttributionRow& row : a.rows) rows.push_back(of_row(row));
  return {{"between", a.between},
          {"dimension", a.dimension},
          {"steps", a.steps},
          {"damage_nats", a.damage},
          {"rows", rows},
          {"verdict", a.verdict},
          {"deciding_seeds", a.deciding_seeds ? Json(*a.deciding_seeds) : Json()},
          {"left_out", a.left_out}};
}

Json of_parts(const std::array<PartShare, 3>& parts) {
  Json rows = Json::array();
  for (const PartShare& part : parts)
    rows.push_back({{"part", part.part},
                    {"numbers", value(part.numbers)},
                    {"share", value(part.share)},
                    {"size_matched", value(part.size_matched)},
                    {"excess", value(part.excess)}});
  return rows;
}

Json of_router(const RouterSummary& router) {
  return {{"target", router.target},
          {"router", to_string(router.router)},
          {"swap_cost", value(router.swap_cost)},
          {"dose", value(router.dose)},
          {"dose_cost", value(router.dose_cost)},
          {"module", value(router.module)},
          {"rest", value(router.rest)},
          {"cross", value(router.cross)},
          {"all", value(router.all)},
          {"cross_layer_share", value(router.share)},
          {"parts", of_parts(router.parts)},
          {"undefined", router.undefined}};
}

}  // namespace

Json compensation_json(const CompensationResults& compensation) {
  Json attributions = Json::array(), routers = Json::array();
  for (const Attribution& attribution : compensation.attributions) attributions.push_back(of_attribution(attribution));
  for (const RouterSummary& router : router_summaries(compensation)) routers.push_back(of_router(router));
  return {{"arm", compensation.arm},
          {"cell", compensation.cell},
          {"attributions", attributions},
          {"routers", routers},
          {"notes", compensation.notes}};
}

}  // namespace absorb
