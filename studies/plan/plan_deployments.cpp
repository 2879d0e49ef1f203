#include "core/error.h"
#include "studies/plan/plan.h"
#include "training/data/source.h"
#include "training/data/vocabulary.h"

namespace absorb {
namespace {

// [routing] of a run with the overrides laid on: those for both kinds, then those for this one.
RoutingSettings overridden(const RoutingSettings& own, const Settings& overrides, const std::string& kind) {
  Settings table = Settings::from_json(write_settings(own), "the run's [routing]");
  Settings common = overrides;
  for (const char* other : {"attention", "moe"}) common.erase(other);
  table.merge(common);
  if (overrides.has(kind)) table.merge(overrides.table(kind));
  return read_settings<RoutingSettings>(table);
}

// Shapes that routers depend on, for a transplant.
std::string shape_of(const RunSettings& run) {
  return fmt::format("{} layers of width {} with {} heads, context {}, {} experts", run.model.layers, run.model.width,
                     run.model.heads, run.model.context, target_named(run.target).moe ? run.model.moe.experts : 0);
}

class DeploymentPlanner {
 public:
  DeploymentPlanner(const Study& study, RunPlan& plan) : study_(study), plan_(plan) {}

  void add(RunSpec& run, const DeploymentSpec& spec) {
    if (spec.routes_of != "*") {
      add_one(run, spec, spec.name, source_of(run, spec, spec.routes_of));
      return;
    }
    for (const ArmSpec& arm : study_.arms)
      if (arm.targets.empty() || std::count(arm.targets.begin(), arm.targets.end(), run.settings.target) > 0)
        add_one(run, spec, spec.name + '.' + arm.name, source_of(run, spec, arm.name));
  }

 private:
  // The run of the same arm with the study's next seed, the first after the last: one that learned independently.
  const RunSpec& next_seed(const RunSpec& run, const DeploymentSpec& spec) const {
    require(
        !make_source(run.settings.data)->belongs_to_seed(),
        "{}: deployment \"{}\": the task {} has another table for every seed, so that no other run learned this one",
        study_.file.string(), spec.name, run.settings.data.type);
    const std::vector<int64_t>& seeds = study_.settings.seeds;
    require(seeds.size() > 1,
            "{}: deployment \"{}\": information needs a label from an independent run, and the study has one seed",
            study_.file.string(), spec.name);
    const auto own = std::ranges::find(seeds, run.settings.seed);
    const int64_t next = own + 1 == seeds.end() ? seeds.front() : *(own + 1);
    const auto found = std::ranges::find_if(plan_.runs, [&](const RunSpec& other) {
      return other.arm == run.arm && other.settings.target == run.settings.target && other.cell == run.cell &&
             other.settings.seed == next;
    });
    check(found != plan_.runs.end(), "no run of {} with seed {}", run.arm, next);
    return *found;
  }

  const RunSpec& source_of(const RunSpec& run, const DeploymentSpec& spec, const std::string& arm) const {
    if (arm.empty()) return run;
    const int64_t seed = spec.seed < 0 ? run.settings.seed : spec.seed;
    for (const RunSpec& other : plan_.runs)
      if (other.arm == arm && other.settings.target == run.settings.target && other.settings.seed == seed &&
          other.cell == run.cell)
        return other;
    user_error("{}: deployment \"{}\": arm \"{}\" isn't run with target {} and seed {}", study_.file.string(),
               spec.name, arm, run.settings.target, seed);
  }

  void add_one(RunSpec& run, const DeploymentSpec& spec, const std::string& key, const RunSpec& source) const {
    const auto where = [&] { return fmt::format("{}: deployment \"{}\"", study_.file.string(), spec.name); };
    const std::string own = shape_of(run.settings), its = shape_of(source.settings);
    require(own == its, "{}: routers of {} can't stand in {}: {} there, {} here", where(), source.name(), run.name(),
            its, own);
    const auto& kept = source.settings.training.keep_weights;
    require(spec.step == 0 || std::count(kept.begin(), kept.end(), spec.step) > 0,
            "{}: the weights of step {} aren't kept: add it to training.keep_weights", where(), spec.step);
    require(spec.step <= source.settings.training.steps, "{}: {} ends at step {}, before step {}", where(),
            source.name(), source.settings.training.steps, spec.step);
    DeploymentTask task{key, spec, source.settings, source.folder, source.moments_run, {}};
    // Nothing trains, and a router that stands in may have no parameter that a pattern could name.
    task.settings.training.train.clear();
    task.settings.training.rates.clear();
    task.settings.training.freeze.clear();
    task.settings.training.thaw.clear();
    const Target target = target_named(run.settings.target);
    try {
      if (target.attention) task.settings.attention = overridden(source.settings.attention, spec.routing, "attention");
      if (target.moe) task.settings.moe = overridden(source.settings.moe, spec.routing, "moe");
      task.settings.plugins = plugins_of(task.settings);
      size_of(task.settings, stated_vocabulary(task.settings.data));  // builds the routes once, for what they refuse
    } catch (const UserError& error) {
      user_error("{} of {}: {}", where(), run.name(), error.what());
    }
    require(task.settings.attention.moments_of == source.settings.attention.moments_of &&
                task.settings.moe.moments_of == source.settings.moe.moments_of,
            "{}: a deployment can't set routing.moments_of; `random = 1` draws routers with the run's own moments",
            where());
    Json about = write_settings(spec);
    about.erase("arms");
    about.erase("targets");
    about.erase("information");
    if (spec.information) {
      const RunSpec& label = next_seed(run, spec);
      task.label_run = label.folder;
      task.label_moments_run = label.moments_run;
      about["label"] = label.identity;
    }
    Json routing = write_run_settings(task.settings);
    erase_allowances(routing);
    task.identity = hash_hex(
        Json{{"spec", about}, {"routing", routing}, {"run", run.identity}, {"source", source.identity}}.dump());
    run.deployments.push_back(std::move(task));
  }

  const Study& study_;
  RunPlan& plan_;
};

bool concerns(const DeploymentSpec& spec, const RunSpec& run) {
  const auto names = [](const std::vector<std::string>& list, const std::string& name) {
    return list.empty() || std::count(list.begin(), list.end(), name) > 0;
  };
  return run.settings.target != "dense" && names(spec.arms, run.arm) && names(spec.targets, run.settings.target);
}

}  // namespace

void plan_deployments(const Study& study, RunPlan& plan) {
  DeploymentPlanner planner(study, plan);
  for (RunSpec& run : plan.runs)
    for (const DeploymentSpec& spec : study.deployments)
      if (concerns(spec, run)) planner.add(run, spec);
}

}  // namespace absorb
