#include <CLI/CLI.hpp>

#include "compensation/graph/queries/queries.h"
#include "compensation/measures/measures.h"
#include "core/error.h"
#include "core/settings.h"
#include "studies/command/cli_parts.h"
#include "studies/plugin/load.h"
#include "studies/run/provenance.h"

namespace absorb {
namespace {

// Makes 0 of auto; what is wrong with any other text that is no number above 0.
std::string read_jobs(std::string& text) {
  const bool automatic = text == "auto";
  const bool digits = text.size() < 10 && text.find_first_not_of("0123456789") == std::string::npos;
  if (!automatic && (!digits || text.find_first_not_of('0') == std::string::npos))
    return fmt::format("must be auto or a number above 0 but got \"{}\"", text);
  if (automatic) text = "0";
  return "";
}

void add_run(CLI::App& app, RunOptions& o, Command& chosen) {
  CLI::App* run = app.add_subcommand("run", "Train every run of a study, then print its table and write its page");
  run->add_option("STUDY", o.study, "A study file, such as configs/quick.toml")->required();
  run->add_option("--runs", o.runs, "Folder for runs")->capture_default_str();
  run->add_option("--set", o.sets, "Override a setting, such as --set training.steps=100")->allow_extra_args(false);
  run->add_option("--device", o.device, "auto, cpu or cuda")->capture_default_str();
  run->add_option("--kernels", o.kernels, "On a GPU in bf16: fused ones, or LibTorch's composition of every operation")
      ->check(CLI::IsMember({"fused", "composition"}))
      ->capture_default_str();
  run->add_option("--jobs", o.jobs,
                  "Runs at a time, or auto, the default: one for each core; on a GPU as many as help and fit")
      ->transform(CLI::Validator(read_jobs, ""))
      ->type_name("auto|N");
  run->add_flag("--dry-run", o.dry_run, "Print runs, settings, sizes, disk and time; change nothing");
  run->add_flag("--worker", o.worker, "")->group("");
  run->add_flag("--tuning", o.tuning, "")->group("");
  run->add_option("--first-seeds", o.first_seeds, "")->group("");
  run->callback([&] { chosen = [&o] { return run_command(o); }; });
}

void add_looks(CLI::App& app, Path& folder, std::string& what, bool& markdown, Command& chosen) {
  CLI::App* report =
      app.add_subcommand("report", "Analyse a study's folder again: table, results.json, CSV, report.html");
  report->add_option("DIR", folder, "A study's folder, such as runs/quick")->required();
  report->callback([&] { chosen = [&] { return report_command(folder); }; });
  CLI::App* status = app.add_subcommand("status", "How far each run of a study is");
  status->add_option("DIR", folder, "A study's folder")->required();
  status->callback([&] { chosen = [&] { return status_command(folder); }; });
  CLI::App* list = app.add_subcommand("list", "What a study file may say, and what a study's folder holds");
  list->add_option("WHAT", what, "routers, selections, losses, data, measures, settings or folder")->required();
  list->add_flag("--markdown", markdown, "The whole reference page");
  list->callback([&] { chosen = [&] { return list_command(what, markdown); }; });
  CLI::App* doctor = app.add_subcommand("doctor", "What this machine has");
  doctor->callback([&] { chosen = doctor_command; });
}

void add_plan(CLI::App& app, PlanOptions& o, Command& chosen) {
  CLI::App* plan = app.add_subcommand("plan", "How many seeds a study needs, and what its own can decide");
  plan->add_option("STUDY", o.study, "A study file, such as configs/quick.toml")->required();
  plan->add_option("--margin-nats", o.margin_nats,
                   "The least gap worth finding, and the margin of a tie; default: each contrast's own");
  plan->add_option("--power", o.power, "Probability of finding it, or of the tie")->capture_default_str();
  plan->add_option("--pilot", o.pilot, "A study's folder whose finished runs give the sd of the paired differences");
  plan->add_option("--sd", o.sd, "That sd in nats per token, stated; with --pilot: for what the pilot lacks");
  plan->add_option("--set", o.sets, "Override a setting, such as --set training.steps=100")->allow_extra_args(false);
  plan->add_option("--device", o.device, "The estimate of time: auto, cpu or cuda")->capture_default_str();
  plan->footer("Example: absorb plan configs/both.toml --margin-nats 0.02 --power 0.8 --pilot runs/quick");
  plan->callback([&] { chosen = [&o] { return plan_command(o); }; });
}

void add_diff(CLI::App& app, Path& before, Path& after, Command& chosen) {
  CLI::App* diff = app.add_subcommand("diff", "What differs between two runs or two studies: settings, origin, loss");
  diff->add_option("A", before, "A run's folder (runs/STUDY/ARM.TARGET/seed-N) or a study's (runs/STUDY)")->required();
  diff->add_option("B", after, "Another one of the same kind; losses are B - A")->required();
  diff->callback([&] { chosen = [&] { return diff_command(before, after); }; });
}

void add_deploy(CLI::App& app, DeployOptions& o, Command& chosen) {
  CLI::App* deploy =
      app.add_subcommand("deploy", "Evaluate a study's [[deployment]]s on its finished runs, without training");
  deploy->add_option("STUDY", o.study, "A study file whose runs are finished")->required();
  deploy->add_option("--runs", o.runs, "Folder for runs")->capture_default_str();
  deploy->add_option("--set", o.sets, "Override a setting, as it was for `absorb run`")->allow_extra_args(false);
  deploy->add_option("--device", o.device, "auto, cpu or cuda")->capture_default_str();
  deploy->callback([&] { chosen = [&o] { return deploy_command(o); }; });
}

void add_tensorboard(CLI::App& app, Path& folder, Command& chosen) {
  CLI::App* tensorboard = app.add_subcommand("tensorboard", "Write the curves of every run for TensorBoard");
  tensorboard->add_option("DIR", folder, "A study's folder, such as runs/quick")->required();
  tensorboard->callback([&] { chosen = [&] { return tensorboard_command(folder); }; });
}

void add_tokens(CLI::App& app, TokensOptions& o, Command& chosen) {
  CLI::App* tokens = app.add_subcommand("tokens", "Write text as token files");
  tokens->add_option("OUT", o.out, "New folder for train.bin, valid.bin, test.bin")->required();
  tokens->add_option("--study", o.study, "Take [data] from this study file");
  tokens->add_option("--set", o.sets, "A key of [data], such as --set corpus=text.txt.gz")->allow_extra_args(false);
  tokens->callback([&] { chosen = [&o] { return tokens_command(o); }; });
}

void add_compensate(CLI::App& app, CompensateOptions& o, Command& chosen) {
  CLI::App* compensate =
      app.add_subcommand("compensate", "Measure who makes up for a disturbed router in a study's finished runs");
  compensate->add_option("DIR", o.folder, "A study's folder, such as runs/quick")->required();
  compensate
      ->add_option("--measures", o.measures,
                   "Some of " + join(measure_names()) + "; default: compensation.measures of the study, or all")
      ->delimiter(',');
  compensate->add_option("--layers", o.layers, "Whose routers and parts are disturbed; default: all")->delimiter(',');
  compensate->add_option("--arm", o.arm, "Whose weights")->capture_default_str();
  compensate->add_option("--target", o.target, "attention, moe or both; default: all");
  compensate->add_option("--seed", o.seed, "Default: all")->check(CLI::NonNegativeNumber);
  compensate->add_option("--jobs", o.jobs, "Runs at a time; default: one for each core, on a GPU one")
      ->check(CLI::PositiveNumber);
  compensate->add_option("--set", o.sets, "Override a setting, such as --set compensation.damage=0.05")
      ->allow_extra_args(false);
  compensate->add_option("--device", o.device, "auto, cpu or cuda")->capture_default_str();
  compensate->add_flag("--worker", o.worker, "")->group("");
  compensate->footer(
      "Interrupted, the same command goes on where it stopped; what is measured already isn't measured again.\n"
      "Example: absorb compensate runs/compensation --measures recovery,coupling --layers 0,1");
  compensate->callback([&] { chosen = [&o] { return compensate_command(o); }; });
}

void add_graph(CLI::App& app, GraphOptions& o, Command& chosen) {
  CLI::App* graph = app.add_subcommand("graph", "Ask the compensation graph of a study, or export it");
  graph->add_option("DIR", o.from, "A study's folder, or a file that --export json wrote")->required();
  graph->add_option("QUERY", o.query, "One of " + join(query_names()) + "; compare takes two: ARM.TARGET ARM.TARGET");
  graph->add_option("--export", o.format, "graphml, dot, json or csv, to standard output");
  graph->add_option("--arm", o.arm, "Whose weights were measured")->capture_default_str();
  graph->add_option("--target", o.target, "attention, moe or both; default: all");
  graph->add_option("--seed", o.seed, "A seed, or mean: over all of them")->capture_default_str();
  graph->add_option("--measure", o.measure, "Which edges; default: what the query is about");
  graph->add_option("-k", o.paths, "Paths to show, at most 1000")->capture_default_str()->check(CLI::Range(1, 1000));
  graph->add_option("--from", o.path_from, "Where paths begin, such as 1.attention_router");
  graph->add_option("--to", o.path_to, "Where they end");
  graph->footer(
      "Examples: absorb graph runs/compensation share\n"
      "          absorb graph runs/compensation paths -k 3 --target attention --from 1.attention_router\n"
      "          absorb graph runs/compensation compare learned.attention learned.moe\n"
      "          absorb graph runs/compensation --export graphml > graph.graphml");
  graph->callback([&] { chosen = [&o] { return graph_command(o); }; });
}

void add_conform(CLI::App& app, ConformOptions& o, Command& chosen) {
  CLI::App* conform = app.add_subcommand("conform", "Measure what routers, selections and losses claim of themselves");
  conform->add_option("NAME", o.names, "Types, such as bilinear or top_k; default: all that `absorb list` knows");
  conform->add_option("--device", o.device, "auto, cpu or cuda: a GPU is held against the CPU")->capture_default_str();
  conform->footer(
      "One line a check: what was checked, measured <= bound, ok or FAILED, and what the number is.\n"
      "Example: absorb conform bilinear top_k\n"
      "Exit status: 0 every check passed, 1 one failed, 2 a name is unknown");
  conform->callback([&] { chosen = [&o] { return conform_command(o); }; });
}

void add_bench(CLI::App& app, BenchOptions& o, Command& chosen) {
  CLI::App* bench = app.add_subcommand("bench", "Time a training step: speed, memory, kernels, and the floor");
  bench->add_option("--model", o.model, "A model file, or a name in configs/models; default: paper");
  bench->add_option("--study", o.study, "An arm of this study file instead, with --arm");
  bench->add_option("--arm", o.arm, "Which arm; dense comes with every study");
  bench->add_option("--target", o.target, "dense, attention, moe or both; default: dense, or the arm's first");
  bench->add_option("--set", o.sets, "Override a setting, such as --set routing.router.rank=16")
      ->allow_extra_args(false);
  bench->add_option("--tokens", o.tokens, "Tokens a step; default: training.batch sequences")
      ->check(CLI::PositiveNumber);
  bench->add_option("--context", o.context, "Tokens in a sequence")->check(CLI::PositiveNumber);
  bench->add_option("--steps", o.steps, "Timed steps")->capture_default_str()->check(CLI::PositiveNumber);
  bench->add_option("--jobs", o.jobs, "Also times so many runs at a time, as absorb run --jobs has them")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  bench->add_option("--precision", o.precision, "fp32 or bf16; default: training.precision");
  bench
      ->add_option("--kernels", o.kernels, "On a GPU in bf16: fused ones, or LibTorch's composition of every operation")
      ->check(CLI::IsMember({"fused", "composition"}))
      ->capture_default_str();
  bench->add_option("--device", o.device, "auto, cpu or cuda")->capture_default_str();
  bench->add_option("--json", o.json, "Write what is printed here too, as JSON");
  bench->add_flag("--resident", o.resident,
                  "Build and warm, print a line of JSON, then time N steps for every line N read; quit ends it");
  bench->footer(
      "Tokens are random, the trainer is that of absorb run. benchmarks/compare holds it against PyTorch.\n"
      "Examples: absorb bench --model paper --target attention --set routing.attention.apply=scale_logits\n"
      "          absorb bench --study benchmarks/arms/peer-512.toml --arm moe-top2 --precision bf16");
  bench->callback([&] { chosen = [&o] { return bench_command(o); }; });
}

// Of every command that reads settings: what they name may be a plug-in's.
void add_plugins(CLI::App& app, std::vector<std::string>& plugins) {
  for (const char* command : {"run", "plan", "deploy", "compensate", "conform", "list", "bench"})
    app.get_subcommand(command)
        ->add_option("--plugin", plugins,
                     "Load a plug-in, as study.plugins does: a shared library with types of its own")
        ->allow_extra_args(false);
}

// What the line sets, for every command.
struct Line {
  RunOptions run;
  DeployOptions deploy;
  Path folder, before, after;
  std::string what;
  bool markdown = false;
  PlanOptions plan;
  TokensOptions tokens;
  CompensateOptions compensate;
  GraphOptions graph;
  ConformOptions conform;
  BenchOptions bench;
  BundleOptions bundles;
  ExchangeOptions exchange;
  std::vector<std::string> plugins;
  Command chosen;
};

void add_commands(CLI::App& app, Line& line) {
  add_run(app, line.run, line.chosen);
  add_looks(app, line.folder, line.what, line.markdown, line.chosen);
  add_plan(app, line.plan, line.chosen);
  add_diff(app, line.before, line.after, line.chosen);
  add_deploy(app, line.deploy, line.chosen);
  add_tensorboard(app, line.folder, line.chosen);
  add_tokens(app, line.tokens, line.chosen);
  add_compensate(app, line.compensate, line.chosen);
  add_graph(app, line.graph, line.chosen);
  add_conform(app, line.conform, line.chosen);
  add_bench(app, line.bench, line.chosen);
  add_bundles(app, line.bundles, line.chosen);
  add_exchange(app, line.exchange, line.chosen);
  add_plugins(app, line.plugins);
}

}  // namespace

int command_line(int argc, char** argv) {
  CLI::App app(
      "absorb: paired studies of routing absorption - does a learned router beat a frozen random one, in "
      "attention and in Mixture-of-Experts?");
  app.set_version_flag("--version", version_line());
  app.require_subcommand(1);
  app.footer(
      "Start with: absorb run configs/quick.toml\nExit status: 0 done, 1 our mistake, 2 yours, 3 some runs failed, "
      "75 interrupted (the same command goes on)");
  Line line;
  line.run.argv.assign(argv, argv + argc);
  line.bundles.verify.argv = line.exchange.import.argv = line.run.argv;
  add_commands(app, line);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return printed(app.exit(error));  // --help, --version
    const std::string better = suggestion(app, argc, argv);
    return failed(one_line((better.empty() ? error.what() : better) + " (absorb --help says more)").c_str(),
                  exit_users_mistake);
  }
  return printed(guarded(line.chosen, line.plugins));
}

}  // namespace absorb

// What main.cpp looks for.
extern "C" int absorb_command_line(int argc, char** argv) {
  return absorb::command_line(argc, argv);
}
