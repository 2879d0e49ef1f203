#include "studies/plan/plan.h"

#include <set>

#include "compensation/measures/measures.h"
#include "core/error.h"
#include "studies/folder/differences.h"
#include "studies/folder/fields/record_fields.h"
#include "studies/plan/folder_names.h"
#include "studies/plugin/load.h"
#include "studies/pretrained/pretrained.h"
#include "studies/study/tune.h"
#include "training/data/vocabulary.h"

namespace absorb {
namespace {

struct Place {
  std::string key;
  Json value;
  std::string label;
};
using Cell = std::vector<Place>;

// More would take minutes to plan and weeks to look at.
constexpr double most_runs = 100'000;

void require_few(const Study& study) {
  double runs = static_cast<double>(study.settings.seeds.size()) *
                (1 + static_cast<double>(study.settings.targets.size() * study.arms.size()));
  for (const AxisSpec& axis : study.axes) runs *= static_cast<double>(axis.values.size());
  require(runs <= most_runs,
          "{}: its axes, arms, targets and seeds make up to {:.0f} runs, and a study holds at most {}",
          study.file.string(), runs, most_runs);
}

std::vector<Cell> cells_of(const Study& study) {
  require_few(study);
  std::vector<Cell> cells = {{}};
  for (const AxisSpec& axis : study.axes) {
    std::vector<Cell> next;
    for (const Cell& cell : cells)
      for (std::size_t i = 0; i < axis.values.size(); ++i) {
        next.push_back(cell);
        next.back().push_back({axis.key, axis.values[i], axis.labels[i]});
      }
    cells = std::move(next);
  }
  return cells;
}

class Planner {
 public:
  Planner(const Study& study, const Path& runs) : study_(study) { plan_.folder = runs / study.settings.name; }

  RunPlan plan() {
    for (const Cell& cell : cells_of(study_)) {
      add_arm({.name = "dense"}, "dense", cell);
      for (const std::string& target : study_.settings.targets)
        for (const ArmSpec& arm : study_.arms)
          if (arm.targets.empty() || std::count(arm.targets.begin(), arm.targets.end(), target) > 0)
            add_arm(arm, target, cell);
    }
    name_folders();
    for (RunSpec& run : plan_.runs) resolve_moments(run);
    for (RunSpec& run : plan_.runs) resolve_identity(run);
    return std::move(plan_);
  }

 private:
  Settings tables(const Settings& overrides, const Cell& cell, const TunedSpec* tuned = nullptr) const {
    Settings all = study_.base;
    all.merge(overrides);
    for (const auto& [key, value, label] : cell)
      all.merge(Settings::from_json(value, study_.file.string() + ": axis " + key).under(key));
    if (tuned != nullptr)
      for (const auto& [key, value] : tuned->values.items())
        all.merge(Settings::from_json(value, study_.file.string() + ": [tune] " + key).under(key));
    all.merge(study_.last);
    return all;
  }

  // Widths come from the study's own [routing], so that the arms of a target share one backbone bit for bit.
  void match(RunSettings& run, const Cell& cell) {
    const int64_t vocabulary = stated_vocabulary(run.data);
    RunSettings reference = read_run_settings(tables({}, cell), run.target, run.seed);
    reference.model = run.model;
    const Target target = target_named(run.target);
    if (target.attention && (reference.attention.router.type.empty() || reference.attention.selection.type.empty()))
      reference.attention = run.attention;
    if (target.moe && (reference.moe.router.type.empty() || reference.moe.selection.type.empty()))
      reference.moe = run.moe;
    const Matched matched = match_to_dense(reference, study_.settings.match, vocabulary);
    run.model = reference.model;
    const auto same = [&](const Matched& m) {
      return m.target == matched.target && m.size.parameters.unique == matched.size.parameters.unique;
    };
    if (std::none_of(plan_.matched.begin(), plan_.matched.end(), same)) plan_.matched.push_back(matched);
    size_of(run, vocabulary);  // builds the arm's own routes once, so that whatever they refuse is said now
  }

  void add_arm(const ArmSpec& arm, const std::string& target, const Cell& cell) {
    for (const int64_t seed : study_.settings.seeds) {
      RunSpec spec;
      spec.arm = arm.name;
      std::map<std::string, std::string> labels;
      for (const auto& [key, value, label] : cell) labels[key] = label;
      const TunedSpec* tuned = tuned_for(study_, arm.name, target, labels);
      spec.settings = read_run_settings(tables(arm.overrides, cell, tuned), target, seed);
      require(study_.settings.match == "none" || !names_folder(spec.settings.start.from),
              "{}: arms that begin from a Hugging Face folder have its sizes: set study.match = \"none\"",
              study_.file.string());
      try {
        match(spec.settings, cell);
      } catch (const UserError& error) {  // what a type refuses of a task; its settings were legal by themselves
        user_error("{}: arm \"{}\", target {}: {}", study_.file.string(), arm.name, target, error.what());
      }
      StartSettings& start = spec.settings.start;
      if (!arm.from.empty() && arm.from != from_model) start.from = arm.from;
      if (!start.from.empty()) start.reinitialise = arm.reinitialise;
      if (arm.name == "dense" && !dense_seen_.insert(identity(spec.settings)).second) continue;
      CellName name{arm.name + (target == "dense" ? "" : "." + target), {}};
      for (const auto& [key, value, label] : cell) {
        const bool routes = key == "routing" || key.starts_with("routing.");
        if (target == "dense" && routes) continue;  // the dense model has no routing
        spec.cell[key] = label;
        name.labels.push_back(label);
      }
      names_.push_back(std::move(name));
      plan_.runs.push_back(std::move(spec));
    }
  }

  void name_folders() {
    const std::vector<std::string> folders = folder_names(names_, study_.file.string());
    for (std::size_t i = 0; i < folders.size(); ++i) {
      RunSpec& run = plan_.runs[i];
      run.folder = plan_.folder / folders[i] / fmt::format("seed-{}", run.settings.seed);
      check(used_.insert(run.folder).second, "two runs share {}", run.folder.string());
    }
  }

  // A child's identity holds its parent's, so parents come first.
  const std::string& resolve_identity(RunSpec& run) {
    if (!run.identity.empty()) return run.identity;
    if (StartSettings& start = run.settings.start; names_folder(start.from)) {
      start.parent = hash_of(folder_named(start.from));
    } else if (!start.from.empty()) {
      const std::string target = start.from == "dense" ? "dense" : run.settings.target;
      RunSpec* parent = nullptr;
      for (RunSpec& other : plan_.runs)
        if (other.arm == start.from && other.settings.target == target && other.settings.seed == run.settings.seed &&
            std::includes(run.cell.begin(), run.cell.end(), other.cell.begin(), other.cell.end()))
          parent = &other;
      require(parent != nullptr, "{}: arm \"{}\": from = \"{}\", but that arm isn't run with target {}",
              study_.file.string(), run.arm, start.from, target);
      run.parent_run = parent->folder;
      start.parent = resolve_identity(*parent);
    }
    return run.identity = identity(run.settings);
  }

  const std::string& hash_of(const Path& folder) {
    std::string& hash = folder_hashes_[folder];
    if (hash.empty()) hash = PretrainedModel(folder).hash();
    return hash;
  }

  void resolve_moments(RunSpec& run) const {
    const Target target = target_named(run.settings.target);
    std::string of = target.attention ? run.settings.attention.moments_of : "";
    if (of.empty() && target.moe) of = run.settings.moe.moments_of;
    if (of.empty()) return;
    for (const RunSpec& other : plan_.runs)
      if (other.arm == of && other.settings.target == run.settings.target && other.cell == run.cell &&
          other.settings.seed == run.settings.seed)
        run.moments_run = other.folder;
    require(!run.moments_run.empty() && of != run.arm,
            "{}: arm \"{}\": routing.moments_of = \"{}\" names no other arm "
            "of target {}",
            study_.file.string(), run.arm, of, run.settings.target);
  }

  const Study& study_;
  RunPlan plan_;
  std::vector<CellName> names_;  // of each run
  std::set<std::string> dense_seen_;
  std::set<Path> used_;
  std::map<Path, std::string> folder_hashes_;
};

}  // namespace

RunPlan plan_runs(const Study& study, const Path& runs) {
  load_plugins(study.settings.plugins);
  for (const std::string& name : study.compensation.measures)
    require(measures().find(name) != nullptr, "{}: compensation.measures: there is no measure \"{}\"; measures: {}",
            study.file.string(), name, join(measure_names()));
  RunPlan plan = Planner(study, runs).plan();
  plan_deployments(study, plan);
  return plan;
}

std::optional<TwoByTwo> two_by_two(const RunPlan& plan) {
  TwoByTwo both;
  for (const RunSpec& run : plan.runs) {
    if (run.settings.target != "both") continue;
    const bool attention = run.settings.attention.frozen, moe = run.settings.moe.frozen;
    std::string& corner = attention ? (moe ? both.rr : both.rl) : (moe ? both.lr : both.ll);
    if (corner.empty()) corner = run.arm;
  }
  if (both.ll.empty() || both.rl.empty() || both.lr.empty() || both.rr.empty()) return std::nullopt;
  return both;
}

void refuse_another_study(const RunPlan& plan) {
  namespace fs = std::filesystem;
  std::error_code error;
  std::vector<std::string> begun;
  for (fs::directory_iterator group(plan.folder, error), end; !error && group != end; group.increment(error)) {
    if (group->path().filename().string().starts_with("dense")) continue;  // two studies may well share that arm
    std::error_code inner;
    for (fs::directory_iterator run(group->path(), inner), last; !inner && run != last; run.increment(inner))
      if (fs::exists(run->path() / "settings.json"))
        begun.push_back(run->path().lexically_relative(plan.folder).generic_string());
  }
  const auto planned = [&](const std::string& name) {
    return std::ranges::any_of(plan.runs, [&](const RunSpec& run) { return run.folder == plan.folder / name; });
  };
  require(begun.empty() || std::ranges::any_of(begun, planned),
          "{}: holds the runs of another study of this name, such as {}: give one of the two another name, or --runs "
          "another folder",
          plan.folder.string(), begun.empty() ? "" : *std::ranges::min_element(begun));
}

namespace {

// What changes no weight, but what a table or a figure shows of runs side by side. A run of before the setting existed
// has none to differ.
void refuse_other_measurements(const RunSpec& run, const Json& stored) {
  constexpr const char* shown[] = {"training.evaluation_tokens", "training.evaluate_every", "training.accounts_every",
                                   "routing.attention.swap_draws", "routing.moe.swap_draws"};
  for (const std::string& line : differences(stored, write_run_settings(run.settings)))
    for (const char* key : shown)
      require(
          !line.starts_with(std::string(key) + ": ") || line.starts_with(std::string(key) + ": absent"),
          "{} was measured otherwise: {}; one figure would mix both: set it back, or give the study another name, or "
          "another --runs folder",
          run.folder.string(), line);
}

}  // namespace

void refuse_changed_runs(const RunPlan& plan) {
  for (const RunSpec& run : plan.runs) {
    const Path file = run.folder / "settings.json";
    if (!std::filesystem::exists(file)) continue;
    const Json stored = read_record_json(file);
    if (identity(run_settings_from_json(stored, file.string())) == run.identity) {
      refuse_other_measurements(run, stored);
      continue;
    }
    std::string text;
    for (const std::string& line : differences(stored, write_run_settings(run.settings)))
      text += (text.empty() ? "" : "; ") + line;
    user_error("{} was trained with other settings: {}; give the study another name, or another --runs folder",
               run.folder.string(), text);
  }
}

}  // namespace absorb
