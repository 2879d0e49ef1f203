// absorb compensate: measures finished runs, in this process or in several, and says what came out.
#include <unistd.h>

#include <iostream>
#include <set>

#include "compensation/measures/measures.h"
#include "core/device.h"
#include "core/error.h"
#include "core/text/clock.h"
#include "studies/command/commands.h"
#include "studies/command/summary.h"
#include "studies/folder/claim.h"
#include "studies/folder/study_log.h"
#include "studies/plugin/load.h"
#include "studies/run/interrupt.h"
#include "studies/subject/measure_run.h"
#include "studies/work/display.h"
#include "studies/work/jobs.h"
#include "studies/work/processes.h"

namespace absorb {
namespace {

struct Interruption : std::exception {};

/// One run that is to be measured.
struct Task {
  RunSpec run;
  DriftPair pair;
};

std::vector<Task> tasks_of(const Study& study, const RunPlan& plan, const CompensateOptions& options) {
  std::vector<Task> tasks;
  for (const RunSpec& run : runs_of_arm(plan, {options.arm, options.target, options.seed}))
    tasks.push_back({run, drift_pair(study, plan, run)});
  return tasks;
}

int64_t closed_tasks(const std::vector<Task>& tasks, const MeasureRequest& request) {
  return std::count_if(tasks.begin(), tasks.end(),
                       [&](const Task& task) { return open_measures(task.run, task.pair, request).empty(); });
}

std::vector<std::string> measures_of(const CompensateOptions& options, const CompensationSettings& settings) {
  const std::vector<std::string> known = measure_names();
  const std::vector<std::string>& wanted = options.measures.empty() ? settings.measures : options.measures;
  for (const std::string& measure : wanted) measure_named(measure);
  return wanted.empty() ? known : wanted;
}

void require_layers(const std::vector<Task>& tasks, const std::vector<int64_t>& layers) {
  for (const Task& task : tasks)
    for (const int64_t layer : layers)
      require(layer >= 0 && layer < task.run.settings.model.layers,
              "--layers: there is no layer {}; {} has layers 0 to {}", layer, task.run.name(),
              task.run.settings.model.layers - 1);
}

/// One line on a terminal that redraws itself: what is measured, how far it is, how long it takes yet.
class MeasureDisplay {
 public:
  explicit MeasureDisplay(bool silent) : draws_(!silent && ::isatty(STDERR_FILENO) != 0) {}
  ~MeasureDisplay() {
    if (draws_) std::cerr << "\r\033[K" << std::flush;
  }
  MeasureDisplay(const MeasureDisplay&) = delete;
  MeasureDisplay& operator=(const MeasureDisplay&) = delete;

  void update(const std::string& line) {
    if (draws_) std::cerr << "\r\033[K" << clipped(line, terminal_width()) << std::flush;
  }
  /// A line that stays.
  void say(const std::string& line) {
    update("");
    std::cerr << line << '\n';
  }

 private:
  bool draws_;
};

std::string progress_line(const RunSpec& run, const std::string& next, int64_t done, int64_t total, double seconds) {
  const double left = done > 0 ? seconds / static_cast<double>(done) * static_cast<double>(total - done) : 0;
  return fmt::format("{} {} ({} of {}{})", run.name(), next, done, total,
                     done > 0 ? ", " + clock_text(left) + " left" : "");
}

/// Works through the tasks that no live worker holds, until none is open.
class Measurer {
 public:
  Measurer(const std::vector<Task>& tasks, const MeasureRequest& request, const CompensateOptions& options)
      : tasks_(tasks), request_(request), display_(options.worker), log_(options.folder) {}

  void run() {
    while (closed_tasks(tasks_, request_) < static_cast<int64_t>(tasks_.size())) {
      bool worked = false;
      for (const Task& task : tasks_) worked = measure(task) || worked;
      if (interrupted()) throw Interruption();
      if (!worked) pause_between_looks();  // what is open is held by a live worker
    }
  }

 private:
  bool measure(const Task& task) {
    if (open_measures(task.run, task.pair, request_).empty()) return false;
    std::optional<Claim> claim = Claim::take(compensation_folder(task.run.folder));
    if (!claim) return false;
    std::string measure;
    auto start = std::chrono::steady_clock::now();
    log_.info("measuring " + task.run.name());
    measure_run(task.run, task.pair, request_, [&](const std::string& next, int64_t done, int64_t total) {
      if (interrupted()) throw Interruption();
      if (const std::string now = next.substr(0, next.find(':')); now != measure) {
        measure = now;
        start = std::chrono::steady_clock::now();
      }
      const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      const std::string line = progress_line(task.run, next, done, total, seconds);
      claim->beat({.line = line});
      display_.update(line);
    });
    log_.info("measured " + task.run.name());
    return true;
  }

  const std::vector<Task>& tasks_;
  const MeasureRequest& request_;
  MeasureDisplay display_;
  StudyLog log_;
};

std::vector<std::string> worker_command(const CompensateOptions& options, int64_t seed) {
  std::vector<std::string> argv = {"absorb",    "compensate", options.folder.string(), "--arm",
                                   options.arm, "--device",   options.device,          "--jobs",
                                   "1",         "--worker"};
  const auto add = [&argv](const std::string& name, const std::string& value) {
    argv.push_back(name);
    argv.push_back(value);
  };
  if (!options.target.empty()) add("--target", options.target);
  if (seed >= 0) add("--seed", std::to_string(seed));
  if (!options.measures.empty()) add("--measures", join(options.measures, ","));
  for (const int64_t layer : options.layers) add("--layers", std::to_string(layer));
  for (const std::string& set : options.sets) add("--set", set);
  for (const LoadedPlugin& plugin : loaded_plugins()) add("--plugin", plugin.file.string());
  return argv;
}

int supervise(const std::vector<Task>& tasks, const MeasureRequest& request, const CompensateOptions& options,
              int64_t jobs) {
  MeasureDisplay display(false);
  const auto total = static_cast<int64_t>(tasks.size());
  const int64_t closed = closed_tasks(tasks, request);
  const auto tick = [&] {
    std::string line;
    for (const Task& task : tasks)
      if (const auto claim = live_claim(compensation_folder(task.run.folder)))
        line += "  " + (claim->progress.line.empty() ? task.run.name() : claim->progress.line);
    display.update(fmt::format("{} of {} runs measured;{}", closed_tasks(tasks, request), total, line));
  };
  const auto say_death = [&](const WorkerEnd& end) {
    if (!died(end)) return;
    display.say("absorb: " + to_string(end));
    StudyLog(options.folder).warning(to_string(end));
  };
  const auto ends = run_workers(worker_command(options, options.seed), std::min(jobs, total - closed), tick, say_death);
  if (interrupted()) throw Interruption();
  const int64_t open = total - closed_tasks(tasks, request);
  if (open == 0) return exit_done;  // another took over what a dead worker had begun
  display.say(fmt::format("absorb: {} of {} runs were not measured; the lines above say why", open, total));
  return std::max(status_of(ends), static_cast<int>(exit_ours));
}

int64_t default_jobs(const std::vector<Task>& tasks, at::Device device) {
  if (device.is_cuda()) return 1;
  return runs_that_cores_hold(tasks.front().run.settings.training.threads);
}

int measure_all(const std::vector<Task>& tasks, const MeasureRequest& request, const CompensateOptions& options) {
  const int64_t jobs = options.jobs > 0 ? options.jobs : default_jobs(tasks, request.device);
  if (jobs > 1 && !options.worker && tasks.size() > 1) return supervise(tasks, request, options, jobs);
  Measurer(tasks, request, options).run();
  return exit_done;
}

}  // namespace

int compensate_command(const CompensateOptions& options) {
  const Study study = study_in(options.folder, options.sets);
  const RunPlan plan = plan_in(options.folder, options.sets);
  const std::vector<Task> tasks = tasks_of(study, plan, options);
  const MeasureRequest request{measures_of(options, study.compensation), options.layers, study.compensation,
                               find_device(options.device)};
  require_layers(tasks, options.layers);
  for (const Task& task : tasks) open_measures(task.run, task.pair, request);  // refuses a run that isn't finished
  configure_torch(static_cast<int>(plan.runs[0].settings.training.threads), plan.runs[0].settings.training.tf32);
  catch_interrupts(options.worker);
  try {
    if (const int status = measure_all(tasks, request, options); status != exit_done || options.worker) return status;
  } catch (const Interruption&) {
    StudyLog(options.folder).info("measuring is interrupted");
    if (!options.worker) std::cerr << "stopped; the same command goes on where it stopped\n";
    return exit_resumable;
  }
  std::cout << summarise_compensation(options.folder, options.arm);
  return exit_done;
}

}  // namespace absorb
