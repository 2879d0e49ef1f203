// The commands behind `absorb`, each a function of its options; command/cli.cpp reads the options.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/files.h"

namespace absorb {

/// Exit statuses, for scripts and schedulers.
enum ExitStatus { exit_done = 0, exit_ours = 1, exit_users_mistake = 2, exit_some_failed = 3, exit_resumable = 75 };

struct RunOptions {
  Path study, runs = "runs";
  std::vector<std::string> sets;
  std::string device = "auto";
  int64_t jobs = 0;  // 0: one per core on a CPU, as many as help on a GPU
  std::string kernels = "fused";
  bool dry_run = false, worker = false, tuning = false;
  int64_t first_seeds = 0;  // of a plan in stages: those of this stage; 0: all
  std::vector<std::string> argv;
};
int run_command(const RunOptions& options);

struct DeployOptions {
  Path study, runs = "runs";
  std::vector<std::string> sets;
  std::string device = "auto";
};
/// Evaluates the study's [[deployment]]s on finished runs; UserError when one of them isn't finished.
int deploy_command(const DeployOptions& options);

/// Writes results.json, the CSV files and report.html from the run folders; prints the table.
int report_command(const Path& folder);
int status_command(const Path& folder);
/// "routers", "selections", "losses", "data", "measures", "settings" or "folder"; `markdown` writes the reference page.
int list_command(const std::string& what, bool markdown);

struct PlanOptions {
  Path study, pilot;  // pilot: a study's folder, or empty
  std::vector<std::string> sets;
  std::string device = "auto";
  std::optional<double> margin_nats, sd;  // nats per token; without a margin every contrast's own
  double power = 0.8;
};
/// Prints how many seeds every contrast needs and what the study's own can decide. Trains and writes nothing.
int plan_command(const PlanOptions& options);

/// Two run folders, or two studies' folders: what differs in settings, provenance and loss.
int diff_command(const Path& before, const Path& after);

struct TokensOptions {
  std::vector<std::string> sets;  // data.* keys
  Path study, out;
};
int tokens_command(const TokensOptions& options);
int doctor_command();

struct ConformOptions {
  std::vector<std::string> names;  // empty: every registered type
  std::string device = "auto";
};
/// Prints every check of `conform` by type and a summary; exit_ours when one failed.
int conform_command(const ConformOptions& options);

struct BenchOptions {
  Path study, json;                // study: an arm of it instead of a model; json: where to write what is printed
  std::string model, arm, target;  // model: a file or a name of configs/models; empty: paper, dense
  std::vector<std::string> sets;
  std::string precision;  // empty: what the settings say
  std::string kernels = "fused", device = "auto";
  int64_t tokens = 0, context = 0, steps = 50;  // 0: what the settings say
  int64_t jobs = 1;                             // runs at a time, timed apart
  bool resident = false;
};
/// Times training steps on random tokens: speed, memory, the share of every kernel and of the floor. Writes no run.
int bench_command(const BenchOptions& options);

struct CompensateOptions {
  Path folder;
  std::string arm = "learned", target, device = "auto";  // no target: every one
  int64_t seed = -1;                                     // -1: all
  int64_t jobs = 0;                                      // 0: one per core on a CPU, one on a GPU
  std::vector<std::string> measures, sets;               // no measures: all of them
  std::vector<int64_t> layers;
  bool worker = false;
};
/// Measures an arm's finished runs, then prints the attribution and writes the study's page anew.
int compensate_command(const CompensateOptions& options);

struct GraphOptions {
  Path from;                       // a study's folder, or a graph that --export json wrote
  std::vector<std::string> query;  // its name, and what it takes
  std::string format;              // graphml, dot, json or csv instead of a query
  std::string arm = "learned", target, measure, seed = "mean", path_from, path_to;
  int64_t paths = 5;
};
/// Asks a compensation graph, or writes it to standard output.
int graph_command(const GraphOptions& options);

/// Writes <run>/tensorboard/ for every run that has metrics (training/tensorboard.h), anew each time.
int tensorboard_command(const Path& folder);

struct PackCommandOptions {
  Path folder, out;
  bool weights = false;
  int64_t every = 10;
};
/// Writes a study's folder as one file.
int pack_command(const PackCommandOptions& options);
int unpack_command(const Path& bundle, const Path& folder);

struct VerifyOptions {
  Path what;          // a study's folder or a bundle
  std::string rerun;  // ARM.TARGET/seed-N, or empty
  std::string device = "auto";
  std::vector<std::string> argv;
};
/// UserError for what isn't as it was written.
int verify_command(const VerifyOptions& options);

struct ImportOptions {
  Path from, to;
  std::vector<std::string> argv;
};
/// A Hugging Face folder as a run's folder.
int import_command(const ImportOptions& options);

struct ExportOptions {
  Path run, to;
};
/// A finished run as a Hugging Face folder.
int export_command(const ExportOptions& options);

struct EvaluateOptions {
  std::vector<Path> what;          // runs, studies, Hugging Face folders
  std::vector<Path> texts, pairs;  // pairs: files, or folders of them
  std::string tokeniser, device = "auto";
  int64_t batch = 16;
  Path json;
};
/// What finished models say of other text; trains and changes nothing.
int evaluate_command(const EvaluateOptions& options);

/// Parses the command line and runs the command; every UserError becomes one line and exit status 2.
int command_line(int argc, char** argv);

}  // namespace absorb
