#include "studies/study/study.h"

#include <array>
#include <set>

#include "core/error.h"
#include "studies/study/axes.h"
#include "studies/study/checks.h"
#include "studies/study/plugins.h"
#include "studies/study/tune.h"

namespace absorb {

void fields(Fields& list, ContrastSpec& c) {
  list.field("name", c.name, "What the contrast is called in every table.");
  list.field("treatment", c.treatment, "The arm that should be better.");
  list.field("control", c.control, "The arm it is compared with.");
  list.field("primary", c.primary, "One of at most three contrasts that carry the study's verdict (Holm).");
  list.field("positive_control", c.positive_control, "A planted effect: it may be decided with three seeds.");
  list.field("deployment", c.deployment,
             "The [[deployment]] under which both arms are evaluated; empty: as they were trained.");
  list.field("redrawn", c.redrawn,
             "The control once more with `routing.choose.redraw_every`, which no network can learn to live with: the "
             "three arms give the absorbed share S.");
  list.field(
      "always", c.always,
      "An arm that keeps every choice (selection `always`, or dense), for the absorption index A: what the gap is "
      "of what it costs the control to route at random.");
  list.field("margin_nats", c.margin_nats, {1e-9, 100}, "Differences within this margin count as a tie (TOST).");
}

void fields(Fields& list, StagesSpec& s) {
  list.field("until", s.until, {"", "decided"},
             "When to stop before study.seeds are all trained: `decided`, once every primary contrast and every claim "
             "has its verdict, each look at a level of its own; empty: never.");
  list.field("least", s.least, {3, 100000}, "Seeds that are trained before the first look.");
}

void fields(Fields& list, ClaimSpec& c) {
  list.field("says", c.says, "The claim, a sentence; the page opens with it and its verdict.");
  list.field("contrast", c.contrast, "The contrast whose row decides it.");
  list.field("minus", c.minus,
             "Another contrast: the claim is then of the difference of both rows, paired by seed; empty: of one row.");
  list.field("where", c.where, {"severity", "attention", "moe", "both"},
             "The row of one target, or the difference between the twins, above 0 where attention absorbs more.");
  list.field("quantity", c.quantity, {"S", "V_stable", "gap", "R", "R_net", "A"}, "What the row is of.");
  list.field("direction", c.direction, {"above", "below", "tie"}, "On which side of `than` it has to lie.");
  list.field("than", c.than, {-1e6, 1e6}, "What it is compared with.");
  list.field("margin", c.margin, {1e-9, 1e6}, "What counts as a tie, in the quantity's unit.");
  list.field("cell", c.cell, "The axis cell of the row as tables name it, such as \"rank 4\".");
}

void fields(Fields& list, DeploymentSpec& d) {
  list.field("name", d.name, "What the deployment is called in every table.");
  list.field("arms", d.arms, "Whose weights are deployed; empty: those of every arm.");
  list.field("targets", d.targets, "In which targets; empty: in all.");
  list.field("routes_of", d.routes_of,
             "The arm whose trained routers stand in, a transplant; \"*\": every arm in turn, the whole matrix.");
  list.field("seed", d.seed, {-1, 1LL << 53}, "The seed whose routers of `routes_of` stand in; -1: the run's own.");
  list.field("step", d.step, {0, 100000000},
             "The routers as they were after this step, which training.keep_weights kept; 0: at the end.");
  list.field("random", d.random, {0, 1 << 20},
             "Matched random routers stand in, this draw of them; 0: none. Draw 0 is every run's own swap.");
  list.field("loop", d.loop, {"closed", "open", "both"},
             "Whether each layer's router sees what the deployment did to the layers before (closed), or routings are "
             "recorded from the native pass (open).");
  list.field(
      "information", d.information,
      "Also how many bits the decisions say of what would have helped, by a label from the run of the study's next "
      "seed (docs/science.md section 4).");
  list.field("hardening", d.hardening, "Also with the first r layers deployed alone, r = 0 to all.");
}

void fields(Fields& list, StudySettings& s) {
  list.field("name", s.name, "Names the study's folder below --runs.");
  list.field("question", s.question, "What the study asks, in a sentence.");
  list.field("extends", s.extends, "A file whose tables this one is laid over, relative to this one.");
  list.field("note", s.note, "Printed with every table and on the page, such as: a demonstration.");
  list.field("targets", s.targets,
             "What is routed, once for every arm: attention, moe, both. `dense` comes with every study.");
  list.field("seeds", s.seeds, {0, 1LL << 53}, "One run of every arm for each; a seed is a pair across arms.");
  list.field("match", s.match, {"none", "parameters", "active_flops"},
             "What targets share with the dense model: total parameters, or forward operations per token.");
  list.field("top_k", s.top_k, {0, 1 << 20}, "k of the concentration line; 0: an eighth of the context.");
  list.field("plugins", s.plugins,
             "Plug-ins to load: shared libraries that bring types of their own, relative to the file that names them.");
}

namespace {

bool plain_name(const std::string& name) {
  return !name.empty() && name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") ==
                              std::string::npos;
}

// The file itself on top of what it extends, and that on top of what it extends in turn.
Settings read_with_base(const Path& file, std::set<Path> seen = {}) {
  require(std::filesystem::exists(file), "{}: there is no such study file", file.string());
  require(seen.insert(std::filesystem::weakly_canonical(file)).second, "{}: extends itself", file.string());
  Settings own = Settings::from_file(file);
  place_plugins(own, file);
  const Settings study = own.table("study");
  if (!study.has("extends")) return own;
  require(study.value()["extends"].is_string(), "{}: `extends` must be a string", study.where("extends"));
  const Path base = file.parent_path() / study.value()["extends"].get<std::string>();
  require(std::filesystem::exists(base), "{}: extends {}, which doesn't exist", study.where("extends"), base.string());
  Settings merged = read_with_base(base, seen);
  merged.merge(own);
  return merged;
}

// `routing.frozen = true` in TOML is already a table in a table; keys given as quoted strings with dots are cut here.
Settings undotted(const Settings& table) {
  Settings out;
  bool first = true;
  for (const auto& [key, value] : table.value().items()) {
    Settings leaf = Settings::from_json(value, table.where(key)).under(key);
    if (value.is_object()) leaf = table.table(key).under(key);
    if (first)
      out = leaf;
    else
      out.merge(leaf);
    first = false;
  }
  return out;
}

// `train = "all" | "routers" | "backbone" | [patterns]` as training.train has it.
Json trained(const Settings& table) {
  const Json& value = table.value()["train"];
  if (!value.is_string()) return patterns(table, "train");
  require(value == "all" || value == "routers" || value == "backbone",
          "{}: `train` is \"all\", \"routers\", \"backbone\" or an array of patterns but got {}", table.where("train"),
          value.dump());
  return value == "all" ? Json::array() : Json::array({value});
}

ArmSpec read_arm(const Settings& table) {
  ArmSpec arm;
  require(table.has("name") && table.value()["name"].is_string(), "{}: this arm needs a `name`", table.where());
  arm.name = table.value()["name"];
  require(plain_name(arm.name), "{}: an arm's name is made of letters, digits, - and _ but got \"{}\"",
          table.where("name"), arm.name);
  require(!means_missing(arm.name),
          "{}: an arm called \"{}\" would be a missing value to pandas and R; choose another name", table.where("name"),
          arm.name);
  require(arm.name != from_model, "{}: `from = \"{}\"` means what model.from names; choose another name for this arm",
          table.where("name"), from_model);
  require(arm.name != "dense", "{}: the arm \"dense\" comes with every study; choose another name",
          table.where("name"));
  if (table.has("targets")) {
    require(table.value()["targets"].is_array(), "{}: `targets` must be an array of strings", table.where("targets"));
    for (const Json& target : table.value()["targets"]) {
      require(target.is_string(), "{}: `targets` must be an array of strings", table.where("targets"));
      arm.targets.push_back(target);
    }
    check_targets(table, "targets", arm.targets);
  }
  if (table.has("from")) {
    require(table.value()["from"].is_string(), "{}: `from` names an arm, \"model\" or \"huggingface:DIR\"",
            table.where("from"));
    arm.from = table.value()["from"];
  }
  arm.reinitialise = patterns(table, "reinitialise");
  require(arm.reinitialise.empty() || !arm.from.empty(), "{}: `reinitialise` means nothing without `from`",
          table.where("reinitialise"));
  Settings rest = table;
  for (const char* key : {"name", "targets", "from", "train", "reinitialise"}) rest.erase(key);
  arm.overrides = undotted(rest);
  if (table.has("train"))
    arm.overrides.merge(Settings::from_json(trained(table), table.where("train")).under("training.train"));
  return arm;
}

DeploymentSpec read_deployment(const Settings& table, const std::vector<ArmSpec>& arms) {
  Settings rest = table;
  rest.erase("routing");
  DeploymentSpec d = read_settings<DeploymentSpec>(rest);
  d.routing = undotted(table.table("routing"));
  require(!means_missing(d.name), "{}: a deployment called \"{}\" would be a missing value to pandas and R",
          table.where("name"), d.name);
  require(plain_name(d.name), "{}: a deployment's `name` is made of letters, digits, - and _ but got \"{}\"",
          table.where("name"), d.name);
  check_targets(table, "targets", d.targets);
  std::vector<std::string> known;
  for (const ArmSpec& arm : arms) known.push_back(arm.name);
  for (const std::string& arm : d.arms) {
    require(arm != "dense", "{}: deployment \"{}\": the dense arm has no routers to replace; leave it out",
            table.where("arms"), d.name);
    require(std::find(known.begin(), known.end(), arm) != known.end(),
            "{}: deployment \"{}\" names no arm: \"{}\"; arms: {}", table.where("arms"), d.name, arm, join(known));
  }
  require(d.routes_of.empty() || d.routes_of == "*" || std::count(known.begin(), known.end(), d.routes_of) > 0,
          "{}: deployment \"{}\": routes_of names no arm: \"{}\"; arms: {}", table.where("routes_of"), d.name,
          d.routes_of, join(known));
  require(d.seed < 0 || !d.routes_of.empty(), "{}: deployment \"{}\": `seed` means nothing without `routes_of`",
          table.where("seed"), d.name);
  require(d.random == 0 || (d.routes_of.empty() && d.step == 0),
          "{}: deployment \"{}\": random routers are no trained ones: leave `random`, or `routes_of` and `step`, out",
          table.where("random"), d.name);
  return d;
}

// What describes the study rather than a run.
constexpr std::array own_tables = {"study", "arm",  "axis",  "contrast",   "claim",
                                   "plan",  "tune", "tuned", "deployment", "compensation"};

// [study], checked.
StudySettings read_own(const Settings& own) {
  StudySettings s = read_settings<StudySettings>(own);
  require(plain_name(s.name), "{}: study.name is made of letters, digits, - and _ but got \"{}\"", own.where("name"),
          s.name);
  require(!s.seeds.empty(), "{}: no seeds: write study.seeds = [1, 2, 3]", own.where("seeds"));
  for (const int64_t seed : s.seeds)
    require(std::count(s.seeds.begin(), s.seeds.end(), seed) == 1, "{}: seed {} is repeated", own.where("seeds"), seed);
  check_targets(own, "targets", s.targets);
  return s;
}

std::vector<ArmSpec> read_arms(const std::vector<Settings>& tables) {
  std::vector<ArmSpec> arms;
  std::set<std::string> names;
  for (const Settings& table : tables) {
    arms.push_back(read_arm(table));
    require(names.insert(arms.back().name).second, "{}: arm \"{}\" is repeated", table.where("name"), arms.back().name);
  }
  check_parents(tables, arms);
  return arms;
}

std::vector<DeploymentSpec> read_deployments(const std::vector<Settings>& tables, const std::vector<ArmSpec>& arms) {
  std::vector<DeploymentSpec> deployments;
  std::set<std::string> names = {"native", "swap", "swap_attention", "swap_moe", "oracle_top_k", "random_top_k"};
  for (const Settings& table : tables) {
    deployments.push_back(read_deployment(table, arms));
    require(names.insert(deployments.back().name).second,
            "{}: deployment \"{}\" is repeated, or has the name of one that comes with every run", table.where("name"),
            deployments.back().name);
  }
  return deployments;
}

}  // namespace

Study read_study(const Path& file, const std::vector<std::string>& sets) {
  Settings all = read_with_base(file);
  Study study;
  study.file = file;
  for (const std::string& set : sets) {
    const Settings assigned = Settings::from_assignment(set);
    all.merge(assigned);
    study.last.merge(assigned);
  }
  for (const char* key : own_tables) study.last.erase(key);
  place_plugins(all, "--set");  // those of --set, from here
  require(all.has("study"), "{}: holds no [study]: it can be extended, but not run", file.string());
  study.settings = read_own(all.table("study"));
  study.arms = read_arms(all.tables("arm"));
  study.axes = read_axes(all.tables("axis"));
  study.deployments = read_deployments(all.tables("deployment"), study.arms);
  for (const Settings& table : all.tables("contrast")) study.contrasts.push_back(read_settings<ContrastSpec>(table));
  study.stages = read_settings<StagesSpec>(all.table("plan"));
  study.tune = read_tune(all.table("tune"));
  study.tuned = read_tuned(all.tables("tuned"));
  for (const Settings& table : all.tables("claim")) study.claims.push_back(read_settings<ClaimSpec>(table));
  study.compensation = read_settings<CompensationSettings>(all.table("compensation"));
  require_sensible(study.compensation, file.string());
  check_study(study, all);
  for (const char* key : own_tables) all.erase(key);
  study.base = all;
  return study;
}

}  // namespace absorb
