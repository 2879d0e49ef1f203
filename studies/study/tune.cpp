#include "studies/study/tune.h"

#include <algorithm>

#include "core/error.h"
#include "studies/study/axes.h"

namespace absorb {

TuneSpec read_tune(const Settings& table) {
  TuneSpec tune;
  if (table.value().empty()) return tune;
  for (const auto& [key, value] : table.value().items())
    require(key == "seeds" || key == "grid", "{}: unknown key `{}`; [tune] has `seeds` and one [[tune.grid]] a key",
            table.where(key), key);
  require(table.has("seeds") && table.value()["seeds"].is_array() && !table.value()["seeds"].empty(),
          "{}: [tune] needs `seeds`, an array of seeds that no contrast uses", table.where());
  for (const Json& seed : table.value()["seeds"]) {
    require(seed.is_number_integer() && seed >= 0, "{}: a seed is a whole number from 0 on but got {}",
            table.where("seeds"), seed.dump());
    tune.seeds.push_back(seed);
  }
  tune.grid = read_axes(table.tables("grid"));
  require(!tune.grid.empty(), "{}: [tune] needs a grid: [[tune.grid]] with `key` and `values`", table.where());
  return tune;
}

Settings write_tune(const TuneSpec& tune) {
  Json out = {{"seeds", tune.seeds}};
  for (const AxisSpec& axis : tune.grid) out["grid"].push_back(write_axis(axis));
  return Settings::from_json(std::move(out), "[tune]");
}

std::vector<TunedSpec> read_tuned(const std::vector<Settings>& tables) {
  std::vector<TunedSpec> all;
  for (const Settings& table : tables) {
    const Json& value = table.value();
    try {
      all.push_back({value.at("arm"), value.at("target"), value.at("cell"), value.at("values"), value.at("chosen"),
                     value.at("tried"), value.at("losses")});
    } catch (const Json::exception&) {
      user_error("{}: [[tuned]] is written by `absorb run` into a study's folder, and this one isn't as it was written",
                 table.where());
    }
  }
  return all;
}

Json write_tuned(const TunedSpec& tuned) {
  return {{"arm", tuned.arm},       {"target", tuned.target}, {"cell", tuned.cell},    {"values", tuned.values},
          {"chosen", tuned.chosen}, {"tried", tuned.tried},   {"losses", tuned.losses}};
}

void check_tune(const Study& study, const Settings& table) {
  if (study.tune.empty()) return;
  for (const int64_t seed : study.tune.seeds)
    require(std::ranges::count(study.settings.seeds, seed) == 0,
            "{}: seed {} is one of the study's own: what is tuned on it can't be compared on it", table.where("seeds"),
            seed);
  for (std::size_t i = 0; i < study.tune.grid.size(); ++i) {
    const std::string& key = study.tune.grid[i].key;
    const Settings where = table.tables("grid")[i];
    require(key.starts_with("training.") || key.starts_with("routing.") || key.starts_with("model."),
            "{}: `{}` can't be tuned: a key of [training], [routing] or [model] can", where.where("key"), key);
    require(std::ranges::find(study.axes, key, &AxisSpec::key) == study.axes.end(),
            "{}: `{}` is an axis: its values are compared, not chosen among", where.where("key"), key);
    for (const ArmSpec& arm : study.arms)
      require(!arm.overrides.value().flatten().contains(pointer_of(key)),
              "{}: arm \"{}\" sets `{}` itself, and tuning would hide it", where.where("key"), arm.name, key);
  }
}

Study tuning_study(const Study& study) {
  Study grid = study;
  grid.settings.name += "-tune";
  grid.settings.question = "Which values suit each arm of " + study.settings.name + "?";
  grid.settings.seeds = study.tune.seeds;
  grid.axes.insert(grid.axes.end(), study.tune.grid.begin(), study.tune.grid.end());
  grid.contrasts.clear();
  grid.claims.clear();
  grid.deployments.clear();
  grid.tune = {};
  grid.stages = {};
  grid.tuned.clear();
  return grid;
}

const TunedSpec* tuned_for(const Study& study, const std::string& arm, const std::string& target,
                           const std::map<std::string, std::string>& cell) {
  for (const TunedSpec& tuned : study.tuned)
    if (tuned.arm == arm && tuned.target == target &&
        std::includes(cell.begin(), cell.end(), tuned.cell.begin(), tuned.cell.end()))
      return &tuned;
  return nullptr;
}

}  // namespace absorb
