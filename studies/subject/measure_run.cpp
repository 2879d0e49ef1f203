#include "studies/subject/measure_run.h"

#include <algorithm>
#include <map>
#include <mutex>

#include "compensation/measures/measures.h"
#include "core/error.h"
#include "studies/folder/paths.h"
#include "studies/folder/records/made.h"
#include "studies/subject/subject.h"

namespace absorb {
namespace {

// A finished run's weights don't change: whoever looks at the progress several times a second must not read them again.
std::string weights_of(const RunSpec* run) {
  static std::mutex mutex;
  static std::map<Path, std::string> known;
  if (run == nullptr) return "";
  const std::lock_guard lock(mutex);
  std::string& hash = known[run->folder];
  if (hash.empty()) hash = hash_hex(read_file(run->folder / "weights.safetensors"));
  return hash;
}

// Which measures are asked for changes none of them.
CompensationSettings without_measures(CompensationSettings settings) {
  settings.measures.clear();
  return settings;
}

// What a finished measurement was made from: the same request needs no second look at the subject.
std::string request_hash(const RunSpec& run, const DriftPair& pair, const MeasureRequest& request,
                         const std::string& measure) {
  const Measure& about = measure_named(measure);
  Json hashed{{"run", run.identity},
              {"weights", weights_of(&run)},
              {"paired", about.pairs ? weights_of(pair.paired) : ""},
              {"same", about.pairs ? weights_of(pair.same) : ""},
              {"settings", identifying(without_measures(request.settings))},
              {"layers", request.layers},
              {"device", c10::DeviceTypeName(request.device.type())}};
  if (!about.origin.empty()) hashed["plugin"] = about.origin;
  return hash_hex(hashed.dump());
}

const RunSpec* find_run(const RunPlan& plan, const std::string& arm, const RunSpec& like) {
  for (const RunSpec& run : plan.runs)
    if (run.arm == arm && run.settings.target == like.settings.target && run.settings.seed == like.settings.seed &&
        run.cell == like.cell)
      return &run;
  return nullptr;
}

std::string default_pair(const Study& study, const std::string& arm) {
  for (const ContrastSpec& contrast : study.contrasts)
    if (contrast.treatment == arm) return contrast.control;
  return "";
}

void require_finished(const RunSpec& run) {
  require_done(run.folder);
  require_weights(run.folder, "measuring compensation");
}

}  // namespace

DriftPair drift_pair(const Study& study, const RunPlan& plan, const RunSpec& run) {
  const CompensationSettings& settings = study.compensation;
  const std::string paired = settings.paired.empty() ? default_pair(study, run.arm) : settings.paired;
  const std::string same = settings.same.empty() ? paired + "2" : settings.same;
  DriftPair pair;
  pair.paired = find_run(plan, paired, run);
  if (pair.paired == nullptr) {
    pair.missing = paired.empty() ? fmt::format("no contrast treats arm {}, so that drift has no other arm", run.arm)
                                  : fmt::format("arm {} has no such run to measure drift from", paired);
    return pair;
  }
  pair.same = find_run(plan, same, run);
  if (pair.same == nullptr)
    pair.missing = fmt::format("there is no arm {} (another draw of {}), so that drift has no unit", same, paired);
  return pair;
}

std::string arm_label(const RunSpec& run) {
  const std::string folder = run.folder.parent_path().filename().string();  // ARM.TARGET and the cell
  return run.arm + folder.substr(std::min(folder.size(), run.arm.size() + 1 + run.settings.target.size()));
}

std::vector<std::string> open_measures(const RunSpec& run, const DriftPair& pair, const MeasureRequest& request) {
  require_finished(run);
  const MadeRecord made = read_made(compensation_folder(run.folder));
  std::vector<std::string> open;
  for (const std::string& measure : request.measures) {
    measure_named(measure);
    if (!std::filesystem::exists(measurement_file(run.folder, measure)) || !made.measures.contains(measure) ||
        made.measures.at(measure) != request_hash(run, pair, request, measure))
      open.push_back(measure);
  }
  return open;
}

void measure_run(const RunSpec& run, const DriftPair& pair, const MeasureRequest& request,
                 const std::function<void(const std::string&, int64_t, int64_t)>& progress) {
  const std::vector<std::string> open = open_measures(run, pair, request);
  if (open.empty()) return;
  const SubjectOptions options{request.device, request.settings.batch};
  const auto subject = make_subject(run, options);
  for (const std::string& measure : open) {
    const Measure& about = measure_named(measure);
    for (const RunSpec* other : {pair.paired, pair.same})
      if (about.pairs && other != nullptr) require_finished(*other);
    const auto paired = about.pairs && pair.paired != nullptr ? make_subject(*pair.paired, options) : nullptr;
    const auto same = about.pairs && pair.same != nullptr ? make_subject(*pair.same, options) : nullptr;
    MeasureContext context{compensation_folder(run.folder) / "cells", request.layers, {}, paired.get(), same.get()};
    context.progress = [&](std::string_view next, int64_t done, int64_t total) {
      progress(fmt::format("{}: {}", measure, next), done, total);
    };
    Measurement measured = about.make(*subject, request.settings, context);
    measured.arm = arm_label(run);
    measured.target = run.settings.target;
    measured.seed = run.settings.seed;
    if (about.pairs && !pair.missing.empty()) measured.notes.push_back(pair.missing);
    save_measurement(measurement_file(run.folder, measure), measured);
    MadeRecord made = read_made(compensation_folder(run.folder));
    made.measures[measure] = request_hash(run, pair, request, measure);
    write_record(compensation_folder(run.folder) / "made.json", made);
  }
}

}  // namespace absorb
