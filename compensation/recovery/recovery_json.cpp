#include "compensation/recovery/recovery.h"
#include "compensation/subject/component_json.h"
#include "core/numbers.h"
#include "core/text/json.h"

namespace absorb {
namespace {

/// NaN is null in JSON.
double number(const Json& json) {
  return json.is_null() ? nan : json.get<double>();
}

Json json_of(const Measured& measured) {
  return {{"nats", measured.value}, {"standard_error", measured.standard_error}, {"samples", measured.samples}};
}

Measured measured_from(const Json& json) {
  return {number(json.at("nats")), number(json.at("standard_error")), whole_number(json.at("samples"))};
}

Json json_of(const Recovery& recovery) {
  Json json = json_of(recovery.measured);
  json.update({{"group", recovery.group.name},
               {"components", json_of(recovery.group.components)},
               {"by_draw", recovery.by_draw}});
  return json;
}

Recovery recovery_from(const Json& json) {
  Recovery recovery{{json.at("group"), {}}, measured_from(json), {}};
  for (const Json& component : json.at("components")) recovery.group.components.push_back(component_from(component));
  for (const Json& value : json.at("by_draw")) recovery.by_draw.push_back(number(value));
  return recovery;
}

Json json_of(const CrossLayerShare& share) {
  return {
      {"all", json_of(share.all)},
      {"shapley", {{"module", json_of(share.module)}, {"rest", json_of(share.rest)}, {"cross", json_of(share.cross)}}},
      {"share", share.share ? Json(*share.share) : Json()},
      {"undefined", share.undefined.empty() ? Json() : Json(share.undefined)}};
}

CrossLayerShare share_from(const Json& json) {
  const Json& parts = json.at("shapley");
  CrossLayerShare share{measured_from(json.at("all")),
                        measured_from(parts.at("module")),
                        measured_from(parts.at("rest")),
                        measured_from(parts.at("cross")),
                        {},
                        {}};
  if (!json.at("share").is_null()) share.share = json.at("share").get<double>();
  if (!json.at("undefined").is_null()) share.undefined = json.at("undefined").get<std::string>();
  return share;
}

Json json_of(const CapacityResult& capacity) {
  Json groups = Json::array(), shares = Json::array();
  for (const Recovery& recovery : capacity.groups) groups.push_back(json_of(recovery));
  for (const CrossLayerShare& share : capacity.shares) shares.push_back(json_of(share));
  Json json{{"dimension", capacity.dimension}, {"groups", groups}, {"cross_layer_shares", shares}};
  for (const CrossLayerShare& share : capacity.size_matched) json["size_matched"].push_back(json_of(share));
  return json;
}

CapacityResult capacity_from(const Json& json) {
  CapacityResult capacity{whole_number(json.at("dimension")), {}, {}};
  for (const Json& group : json.at("groups")) capacity.groups.push_back(recovery_from(group));
  for (const Json& share : json.at("cross_layer_shares")) capacity.shares.push_back(share_from(share));
  if (json.contains("size_matched"))
    for (const Json& share : json.at("size_matched")) capacity.size_matched.push_back(share_from(share));
  return capacity;
}

Json json_of(const DosePoint& point) {
  return {{"damage", point.damage},
          {"dose", point.dose},
          {"cost", json_of(point.cost)},
          {"unmatched", point.unmatched.empty() ? Json() : Json(point.unmatched)},
          {"cross_layer_share", json_of(point.share)}};
}

DosePoint dose_point_from(const Json& json) {
  DosePoint point{json.at("damage"), json.at("dose"), measured_from(json.at("cost")), "",
                  share_from(json.at("cross_layer_share"))};
  if (!json.at("unmatched").is_null()) point.unmatched = json.at("unmatched").get<std::string>();
  return point;
}

Json json_of(const Diverged& one) {
  return {{"group", one.group}, {"dimension", one.dimension}, {"draw", one.draw ? Json(*one.draw) : Json()}};
}

Diverged diverged_from(const Json& json) {
  const Json& draw = json.at("draw");
  return {json.at("group"), whole_number(json.at("dimension")),
          draw.is_null() ? std::nullopt : std::optional(whole_number(draw))};
}

}  // namespace

Json json_of(const RecoveryResult& result) {
  Json capacities = Json::array(), diverged = Json::array();
  for (const CapacityResult& capacity : result.capacities) capacities.push_back(json_of(capacity));
  for (const Diverged& one : result.diverged) diverged.push_back(json_of(one));
  Json json{{"router", json_of(result.router)},
            {"name", to_string(result.router)},
            {"steps", result.steps},
            {"draws", result.draws},
            {"held_out_sequences", result.sequences},
            {"held_out_tokens", result.tokens},
            {"numbers", {{"module", result.numbers[0]}, {"rest", result.numbers[1]}, {"cross", result.numbers[2]}}},
            {"base_loss", result.base_loss},
            {"swap_cost", json_of(result.swap_cost)},
            {"damage", result.damage},
            {"dose", result.dose},
            {"dose_cost", json_of(result.dose_cost)},
            {"unmatched", result.unmatched.empty() ? Json() : Json(result.unmatched)},
            {"capacities", capacities},
            {"diverged", diverged}};
  for (const DosePoint& point : result.doses) json["doses"].push_back(json_of(point));
  return json;
}

RecoveryResult recovery_result_from(const Json& json) {
  RecoveryResult result;
  result.router = component_from(json.at("router"));
  for (const Json& steps : json.at("steps")) result.steps.push_back(whole_number(steps));
  result.draws = whole_number(json.at("draws"));
  result.sequences = whole_number(json.at("held_out_sequences"));
  result.tokens = whole_number(json.at("held_out_tokens"));
  if (json.contains("numbers"))
    for (std::size_t player = 0; player < 3; ++player)
      result.numbers[player] = whole_number(json.at("numbers").at(coalition_names[1U << player]));
  result.base_loss = number(json.at("base_loss"));
  result.swap_cost = measured_from(json.at("swap_cost"));
  result.damage = json.at("damage");
  result.dose = json.at("dose");
  result.dose_cost = measured_from(json.at("dose_cost"));
  if (!json.at("unmatched").is_null()) result.unmatched = json.at("unmatched").get<std::string>();
  for (const Json& capacity : json.at("capacities")) result.capacities.push_back(capacity_from(capacity));
  if (json.contains("doses"))
    for (const Json& point : json.at("doses")) result.doses.push_back(dose_point_from(point));
  for (const Json& one : json.at("diverged")) result.diverged.push_back(diverged_from(one));
  return result;
}

}  // namespace absorb
