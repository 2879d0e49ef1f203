// A study file, read: arms x targets x axis cells x seeds, and the contrasts that were planned before the first step.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "compensation/subject/settings.h"
#include "core/settings.h"

namespace absorb {

/// `from` of an arm that begins as the study's models do: from the folder that model.from names, or from initial
/// values.
inline constexpr const char* from_model = "model";

/// How `from` names a Hugging Face folder: "huggingface:DIR".
inline constexpr const char* huggingface_prefix = "huggingface:";
inline bool names_folder(const std::string& from) {
  return from.starts_with(huggingface_prefix);
}

struct ArmSpec {
  std::string name;
  Settings overrides = {};                // dotted keys of [[arm]], without name and targets
  std::vector<std::string> targets = {};  // empty: every target of the study
  std::string from = {};                  // the arm or folder whose weights it starts from, or from_model, or empty
  std::vector<std::string> reinitialise = {};
};

struct AxisSpec {
  std::string key;                  // dotted: "routing.router.rank"
  std::vector<Json> values;         // each makes a cell
  std::vector<std::string> labels;  // what the cells are called; one for each value
};

struct ContrastSpec {
  std::string name, treatment, control;
  bool primary = false;
  bool positive_control = false;  // planted: may decide with three seeds
  double margin_nats = 0.02;      // of the equivalence test
  std::string deployment;         // the [[deployment]] that both arms are evaluated under; empty: as they were trained
  std::string redrawn;            // the control with its choice drawn anew: gives the absorbed share S; may be empty
  std::string always;             // an arm that keeps everything: gives the absorption index A; may be empty
};
void fields(Fields& list, ContrastSpec& contrast);

/// [plan]: seeds are trained until every primary contrast and every claim has its verdict, all of them at the most
/// (docs/science.md section 6, plans in stages).
struct StagesSpec {
  std::string until;  // "decided", or empty: all seeds
  int64_t least = 5;  // seeds before the first look
  bool empty() const { return until.empty(); }
};
void fields(Fields& list, StagesSpec& stages);

/// Rates, or any other keys, that every arm x target (x cell) gets its own best of, found on seeds of their own.
struct TuneSpec {
  std::vector<int64_t> seeds;
  std::vector<AxisSpec> grid;  // crossed
  bool empty() const { return grid.empty(); }
};

/// What tuning chose for one arm in one target and cell: [[tuned]], which absorb writes into a study's folder.
struct TunedSpec {
  std::string arm, target;
  std::map<std::string, std::string> cell;  // axis key -> label
  Json values = Json::object();             // dotted key -> value
  std::string chosen;                       // its label in `tried`
  std::vector<std::string> tried;           // every cell of the grid
  std::vector<double> losses;               // valid, nats per token, mean over the tuning seeds; of each
};

/// A sentence that one row of the analysis decides, written before the study runs.
struct ClaimSpec {
  std::string says;
  std::string contrast;             // whose rows decide it
  std::string minus;                // another contrast, whose row is taken from that; empty: none
  std::string where = "severity";   // "attention", "moe", "both", or between the twins: "severity"
  std::string quantity = "S";       // "S", "V_stable", "gap", "R", "R_net", "A"
  std::string direction = "above";  // "above", "below", or "tie": within `margin` of `than`
  double than = 0;
  double margin = 0.02;  // of a tie, in the quantity's unit
  std::string cell;      // the label of the axis cell, "rank 4"; empty: without axes
};
void fields(Fields& list, ClaimSpec& claim);

/// Another routing that trained runs are evaluated under, without training (docs/science.md section 4, swap-in).
struct DeploymentSpec {
  std::string name;
  std::vector<std::string> arms, targets;  // empty: every routed one
  Settings routing;                        // overrides of [routing]
  std::string routes_of;                   // the arm whose trained routers stand in, or "*": every arm in turn
  int64_t seed = -1;                       // of routes_of; -1: the run's own
  int64_t step = 0;                        // the routers as they were then (training.keep_weights); 0: at the end
  int64_t random = 0;                      // matched random routers instead, draw number; 0: none
  std::string loop = "closed";             // "open": routings recorded from the native pass; "both"
  bool hardening = false;                  // also with the first r layers alone, r = 0 ... layers
  bool information = false;                // how many bits the decisions say about what would have helped
};
void fields(Fields& list, DeploymentSpec& deployment);

struct StudySettings {
  std::string name, question, extends, note;
  std::vector<std::string> targets = {"attention", "moe"};
  std::vector<int64_t> seeds;
  std::string match = "parameters";  // "none", "parameters", "active_flops"
  int64_t top_k = 0;                 // k of the concentration line; 0: context / 8
  std::vector<std::string> plugins;  // files (studies/plugin/load.h); absolute once the study is read
};
void fields(Fields& list, StudySettings& study);

struct Study {
  Path file;
  StudySettings settings;
  Settings base;  // [model], [routing], [data], [training]: extends, then the study, then --set
  std::vector<ArmSpec> arms;
  std::vector<AxisSpec> axes;
  std::vector<ContrastSpec> contrasts;
  std::vector<ClaimSpec> claims;
  StagesSpec stages;
  TuneSpec tune;
  std::vector<TunedSpec> tuned;  // empty until the grid is trained
  std::vector<DeploymentSpec> deployments;
  CompensationSettings compensation;
  Settings last;  // --set: laid over arms and axes too
};

/// The arms of target both by which of their routers learn: first letter the attention router's, second the experts'.
struct TwoByTwo {
  std::string ll, rl, lr, rr;
};

/// Reads and checks a study file with what it extends (paths are relative to the file), `sets` laid on last.
Study read_study(const Path& file, const std::vector<std::string>& sets = {});

}  // namespace absorb
