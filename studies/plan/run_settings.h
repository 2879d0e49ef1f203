// The resolved settings of one run: what its identity is the hash of. Everything that changes a trained weight is in
// here, and nothing else is.
#pragma once

#include "training/data/settings.h"
#include "training/settings.h"
#include "transformer/model.h"

namespace absorb {

/// Where a run starts from: another arm's end, of the same target, cell and seed.
struct StartSettings {
  std::string from;                       // arm; empty: initial values
  std::string parent;                     // identity of that arm's run: a changed parent makes a changed child
  std::vector<std::string> reinitialise;  // patterns of parameters that keep their initial values
};
void fields(Fields& list, StartSettings& start);

struct RunSettings {
  std::string target = "dense";
  int64_t seed = 1;
  ModelSettings model;
  RoutingSettings attention, moe;  // routing of each kind; used where the target routes it
  DataSettings data;
  TrainingSettings training;
  StartSettings start;
  std::map<std::string, std::string> plugins;  // by type that a plug-in brought, "router gaussian": the plug-in's hash
};

/// RunSettings::plugins of what is loaded: another build of a plug-in may train other weights.
std::map<std::string, std::string> plugins_of(const RunSettings& run);
/// QK^T may be left out for a router that stands in its place; attention that isn't routed keeps it.
void keep_native_unless_routed(RunSettings& run);
/// The tables with what [model] from = "DIR" stands for, laid below what they say themselves: the sizes of the folder's
/// model, its routing of experts, and [start]. Without it, as they are. UserError where the folder can't be read.
Settings with_pretrained(const Settings& tables);
/// Reads [model], [routing] (with the tables `attention` and `moe` laid on last), [data] and [training].
RunSettings read_run_settings(const Settings& tables, const std::string& target, int64_t seed);
/// Resolved tables as JSON, defaults included; routing of a kind only where the target uses it.
Json write_run_settings(const RunSettings& run);
/// The inverse of write_run_settings. `plugins` is what was written, not what is loaded now.
RunSettings run_settings_from_json(const Json& resolved, const std::string& name);
/// Takes out of resolved tables what a run is allowed and what changes no number of it (routing.allow_noncausal).
void erase_allowances(Json& resolved);
/// Hash of write_run_settings, less what may change without changing a weight (evaluation and checkpoint rhythm,
/// cache).
std::string identity(const RunSettings& run);

}  // namespace absorb
