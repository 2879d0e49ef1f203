#include "studies/study/checks.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "core/error.h"
#include "studies/study/tune.h"

namespace absorb {
namespace {

bool holds(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool allows(const std::vector<std::string>& list, const std::string& name) {
  return list.empty() || holds(list, name);
}

// Where an arm is run; dense stands beside every target.
std::vector<std::string> targets_of(const Study& study, const std::string& arm) {
  if (arm == "dense") return study.settings.targets;
  const auto spec = std::find_if(study.arms.begin(), study.arms.end(), [&](const ArmSpec& a) { return a.name == arm; });
  std::vector<std::string> targets;
  for (const std::string& target : study.settings.targets)
    if (allows(spec->targets, target)) targets.push_back(target);
  return targets;
}

std::string listed(const std::vector<std::string>& targets) {
  return targets.empty() ? "none" : join(targets);
}

void check_listed_targets(const Study& study, const Settings& table, const std::string& what,
                          const std::vector<std::string>& targets) {
  for (const std::string& target : targets)
    require(holds(study.settings.targets, target),
            "{}: {} asks for target \"{}\", which the study doesn't run; study.targets: {}", table.where("targets"),
            what, target, listed(study.settings.targets));
}

void check_arms(const Study& study, const std::vector<Settings>& tables) {
  for (std::size_t i = 0; i < study.arms.size(); ++i) {
    const std::string what = fmt::format("arm \"{}\"", study.arms[i].name);
    check_listed_targets(study, tables[i], what, study.arms[i].targets);
    require(!study.settings.targets.empty(), "{}: {} would never run: study.targets is empty", tables[i].where(), what);
  }
}

bool is_deployed_in(const DeploymentSpec& d, const std::string& arm, const std::string& target) {
  return allows(d.arms, arm) && allows(d.targets, target);
}

void check_deployments(const Study& study, const std::vector<Settings>& tables) {
  for (std::size_t i = 0; i < study.deployments.size(); ++i) {
    const DeploymentSpec& d = study.deployments[i];
    const std::string what = fmt::format("deployment \"{}\"", d.name);
    check_listed_targets(study, tables[i], what, d.targets);
    std::set<std::string> arms, targets;
    for (const ArmSpec& arm : study.arms)
      for (const std::string& target : targets_of(study, arm.name))
        if (is_deployed_in(d, arm.name, target)) {
          arms.insert(arm.name);
          targets.insert(target);
        }
    for (const std::string& arm : d.arms)
      require(arms.contains(arm), "{}: {} would leave arm \"{}\" out, which runs in {}", tables[i].where("arms"), what,
              arm, listed(targets_of(study, arm)));
    for (const std::string& target : d.targets)
      require(targets.contains(target), "{}: {} would leave target \"{}\" out: none of its arms runs there",
              tables[i].where("targets"), what, target);
    require(!arms.empty(), "{}: {} fits no run of the study", tables[i].where(), what);
  }
}

// A contrast is made in every target in which both arms run, and under a deployment where both are deployed.
void check_contrast_runs(const Study& study, const ContrastSpec& c, const Settings& table) {
  const std::vector<std::string> one = targets_of(study, c.treatment), other = targets_of(study, c.control);
  std::vector<std::string> both;
  std::set_intersection(one.begin(), one.end(), other.begin(), other.end(), std::back_inserter(both),
                        [&](const std::string& a, const std::string& b) {
                          const auto& order = study.settings.targets;
                          return std::find(order.begin(), order.end(), a) < std::find(order.begin(), order.end(), b);
                        });
  require(!both.empty(), "{}: contrast \"{}\" has no target: {} runs in {}, {} in {}", table.where("name"), c.name,
          c.treatment, listed(one), c.control, listed(other));
  if (c.deployment.empty()) return;
  const DeploymentSpec& d = *std::find_if(study.deployments.begin(), study.deployments.end(),
                                          [&](const DeploymentSpec& each) { return each.name == c.deployment; });
  const auto deployed = [&](const std::string& arm, const std::string& target) {
    return arm == "dense" || is_deployed_in(d, arm, target);  // the dense arm stands as it was trained
  };
  for (const std::string& arm : {c.treatment, c.control})
    require(std::any_of(both.begin(), both.end(), [&](const std::string& target) { return deployed(arm, target); }),
            "{}: contrast \"{}\": deployment \"{}\" leaves arm \"{}\" out", table.where("deployment"), c.name,
            c.deployment, arm);
}

/// The arms that stand beside treatment and control, for S and for A.
void check_third_arms(const ContrastSpec& c, const std::vector<std::string>& arms, const Settings& table) {
  for (const auto& [key, arm, of] :
       {std::tuple{"redrawn", c.redrawn, "absorbed share"}, std::tuple{"always", c.always, "absorption index"}}) {
    if (arm.empty()) continue;
    const bool routed = arm != "dense" || key == std::string("always");
    require(routed && std::count(arms.begin(), arms.end(), arm) > 0,
            "{}: contrast \"{}\": its {} arm names no routed arm: \"{}\"; arms: {}", table.where(key), c.name, key, arm,
            join(arms));
    require(arm != c.treatment && arm != c.control, "{}: contrast \"{}\" needs three arms: \"{}\" stands twice",
            table.where(key), c.name, arm);
    require(c.deployment.empty(),
            "{}: contrast \"{}\": the {} is one of trained losses: leave `{}` or `deployment` out", table.where(key),
            c.name, of, key);
  }
}

void check_contrasts(const Study& study, const std::vector<Settings>& tables) {
  int64_t primary = 0;
  std::set<std::string> names;
  for (std::size_t i = 0; i < study.contrasts.size(); ++i) {
    const ContrastSpec& c = study.contrasts[i];
    require(!c.name.empty(), "{}: this contrast needs a `name`", tables[i].where());
    require(names.insert(c.name).second, "{}: two contrasts are called \"{}\"", tables[i].where("name"), c.name);
    std::vector<std::string> arms = {"dense"};
    for (const ArmSpec& arm : study.arms) arms.push_back(arm.name);
    for (const auto& [key, arm] : {std::pair{"treatment", c.treatment}, std::pair{"control", c.control}})
      require(std::find(arms.begin(), arms.end(), arm) != arms.end(),
              "{}: contrast \"{}\": its {} names no arm: \"{}\"; arms: {}", tables[i].where(key), c.name, key, arm,
              join(arms));
    check_third_arms(c, arms, tables[i]);
    require(c.treatment != c.control, "{}: contrast \"{}\" compares \"{}\" with itself", tables[i].where("control"),
            c.name, c.control);
    std::vector<std::string> deployments;
    for (const DeploymentSpec& deployment : study.deployments) deployments.push_back(deployment.name);
    require(c.deployment.empty() || std::count(deployments.begin(), deployments.end(), c.deployment) > 0,
            "{}: contrast \"{}\": deployment \"{}\" isn't one of this study's: {}", tables[i].where("deployment"),
            c.name, c.deployment, deployments.empty() ? "it has none" : join(deployments));
    check_contrast_runs(study, c, tables[i]);
    primary += c.primary;
  }
  require(primary <= 3, "{}: {} primary contrasts; at most 3 can carry a verdict", study.file.string(), primary);
}

const ContrastSpec& contrast_of(const Study& study, const ClaimSpec& c, const std::string& contrast,
                                const Settings& table) {
  const auto of = std::ranges::find(study.contrasts, contrast, &ContrastSpec::name);
  std::vector<std::string> contrasts;
  for (const ContrastSpec& each : study.contrasts) contrasts.push_back(each.name);
  require(of != study.contrasts.end(), "{}: the claim \"{}\" names no row: there is no contrast \"{}\"; contrasts: {}",
          table.where("contrast"), c.says, contrast, join(contrasts));
  return *of;
}

/// UserError unless the claim's row of this contrast will be there.
void check_row(const ClaimSpec& c, const ContrastSpec& of, const Settings& table) {
  require(c.quantity != "A" || (!of.always.empty() && c.where != "severity"),
          "{}: the claim \"{}\" names no row: A is one target's, of a contrast with an `always` arm",
          table.where("quantity"), c.says);
  require((c.quantity != "S" && c.quantity != "V_stable") || !of.redrawn.empty(),
          "{}: the claim \"{}\" names no row: the contrast \"{}\" has no `redrawn` arm, so that there is no {}",
          table.where("quantity"), c.says, of.name, c.quantity);
}

void check_claims(const Study& study, const std::vector<Settings>& tables) {
  for (std::size_t i = 0; i < study.claims.size(); ++i) {
    const ClaimSpec& c = study.claims[i];
    require(!c.says.empty(), "{}: this claim needs a sentence: `says`", tables[i].where());
    const ContrastSpec& of = contrast_of(study, c, c.contrast, tables[i]);
    const ContrastSpec& less = c.minus.empty() ? of : contrast_of(study, c, c.minus, tables[i]);
    const auto& targets = study.settings.targets;
    const auto has = [&](const char* target) { return std::ranges::count(targets, target) > 0; };
    require(c.where == "severity" ? has("attention") && has("moe") : has(c.where.c_str()),
            "{}: the claim \"{}\" names no row: where = \"{}\", and the study's targets are {}",
            tables[i].where("where"), c.says, c.where, join(targets));
    require(c.where != "severity" || c.quantity != "R_net",
            "{}: the claim \"{}\" names no row: R_net isn't compared between targets; say S, V_stable, gap or R",
            tables[i].where("quantity"), c.says);
    check_row(c, of, tables[i]);
    check_row(c, less, tables[i]);
    require(c.minus != c.contrast, "{}: the claim \"{}\" takes \"{}\" from itself", tables[i].where("minus"), c.says,
            c.minus);
  }
}

// Drift compares an arm with two others.
void check_compensation(const Study& study, const Settings& table) {
  for (const auto& [key, arm] :
       {std::pair{"paired", study.compensation.paired}, std::pair{"same", study.compensation.same}}) {
    std::vector<std::string> arms;
    for (const ArmSpec& spec : study.arms) arms.push_back(spec.name);
    require(arm.empty() || holds(arms, arm), "{}: compensation.{} names no routed arm: \"{}\"; arms: {}",
            table.where(key), key, arm, listed(arms));
  }
}

}  // namespace

void check_targets(const Settings& where, const std::string& key, const std::vector<std::string>& targets) {
  for (const std::string& target : targets) {
    require(target == "attention" || target == "moe" || target == "both",
            "{}: unknown target \"{}\"; known: attention, moe, both (dense is the baseline of every study)",
            where.where(key), target);
    require(std::count(targets.begin(), targets.end(), target) == 1, "{}: target \"{}\" is named twice",
            where.where(key), target);
  }
}

// The arms as a graph: every `from` and `moments_of` names another arm, and none waits for itself.
void check_parents(const std::vector<Settings>& tables, const std::vector<ArmSpec>& arms) {
  std::map<std::string, std::set<std::string>> parents = {{"dense", {}}};
  for (const ArmSpec& arm : arms) {
    parents[arm.name];
    const bool of_folder = arm.from == from_model || names_folder(arm.from);
    if (!arm.from.empty() && !of_folder) parents[arm.name].insert(arm.from);
    const Settings routing = arm.overrides.table("routing");
    for (const Settings& table : {routing, routing.table("attention"), routing.table("moe")})
      if (table.has("moments_of") && table.value()["moments_of"].is_string())  // otherwise its reader complains
        if (const std::string of = table.value()["moments_of"]; !of.empty()) parents[arm.name].insert(of);
  }
  for (std::size_t i = 0; i < arms.size(); ++i)
    for (const std::string& parent : parents[arms[i].name]) {
      std::vector<std::string> known;
      for (const auto& [name, above] : parents) known.push_back(name);
      require(parents.contains(parent),
              "{}: arm \"{}\" needs \"{}\" (`from` or `moments_of`), which is no arm; arms: {}",
              tables[i].where("from"), arms[i].name, parent, join(known));
    }
  std::set<std::string> done = {"dense"};
  for (bool moved = true; moved;) {
    moved = false;
    for (const auto& [name, above] : parents)
      if (!done.contains(name) && std::includes(done.begin(), done.end(), above.begin(), above.end()))
        moved = done.insert(name).second;
  }
  for (std::size_t i = 0; i < arms.size(); ++i)
    require(done.contains(arms[i].name),
            "{}: arm \"{}\" waits for itself: its `from` or `moments_of` makes a cycle ({})", tables[i].where("from"),
            arms[i].name, join({parents[arms[i].name].begin(), parents[arms[i].name].end()}));
}

/// Looks go through the seeds in the study's order, and tables through sorted ones: the two are one.
void check_stages(const Study& study, const Settings& table) {
  if (study.stages.empty()) return;
  const auto most = static_cast<int64_t>(study.settings.seeds.size());
  require(std::ranges::is_sorted(study.settings.seeds),
          "{}: a plan in stages trains study.seeds in their order: write them in ascending order",
          table.where("until"));
  require(study.stages.least <= most, "{}: plan.least = {} seeds before the first look, but study.seeds has {}",
          table.where("least"), study.stages.least, most);
  require(std::ranges::any_of(study.contrasts, &ContrastSpec::primary) || !study.claims.empty(),
          "{}: nothing can be decided: plan.until = \"decided\" needs a primary contrast or a claim",
          table.where("until"));
}

void check_study(const Study& study, const Settings& all) {
  check_arms(study, all.tables("arm"));
  check_deployments(study, all.tables("deployment"));
  check_contrasts(study, all.tables("contrast"));
  check_stages(study, all.table("plan"));
  check_tune(study, all.table("tune"));
  check_claims(study, all.tables("claim"));
  check_compensation(study, all.table("compensation"));
}

}  // namespace absorb
