#include <c10/util/Exception.h>
#include <CLI/CLI.hpp>

#include <iostream>

#include "core/error.h"
#include "studies/command/commands.h"
#include "studies/provenance.h"

namespace absorb {
namespace {

using Command = std::function<int()>;

void add_run(CLI::App& app, RunOptions& o, Command& chosen) {
  CLI::App* run = app.add_subcommand("run", "Train every run of a study, then print its table and write its page");
  run->add_option("STUDY", o.study, "A study file, such as configs/quick.toml")->required();
  run->add_option("--runs", o.runs, "Folder for runs")->capture_default_str();
  run->add_option("--set", o.sets, "Override a setting, such as --set training.steps=100")->allow_extra_args(false);
  run->add_option("--device", o.device, "auto, cpu or cuda")->capture_default_str();
  run->add_option("--jobs", o.jobs, "Runs at a time; default: one for each core, on a GPU one")
      ->check(CLI::PositiveNumber);
  run->add_flag("--dry-run", o.dry_run, "Print runs, settings, sizes, disk and time; change nothing");
  run->add_flag("--worker", o.worker, "")->group("");
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
  CLI::App* list = app.add_subcommand("list", "What a study file may say");
  list->add_option("WHAT", what, "routers, selections, losses or settings")->required();
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

void add_compensation(CLI::App& app, CompensateOptions& c, GraphOptions& g, Command& chosen) {
  CLI::App* compensate = app.add_subcommand("compensate", "Measure who makes up for a disturbed router");
  compensate->add_option("DIR", c.folder, "A study's folder")->required();
  compensate->add_option("--arm", c.arm, "Whose weights")->capture_default_str();
  compensate->add_option("--target", c.target, "attention, moe or both; default: every target that is finished");
  compensate->add_option("--seed", c.seed, "Default: the study's first");
  compensate->add_option("--layers", c.layers, "Default: all")->delimiter(',');
  compensate->add_option("--steps", c.steps, "Steps of adaptation")->capture_default_str();
  compensate->add_option("--draws", c.draws, "Random routers for each layer")->capture_default_str();
  compensate->add_option("--sequences", c.sequences, "Held-out sequences")->capture_default_str();
  compensate->add_option("--device", c.device, "auto, cpu or cuda")->capture_default_str();
  compensate->callback([&] { chosen = [&c] { return compensate_command(c); }; });
  CLI::App* graph = app.add_subcommand("graph", "Write the compensation graph to standard output");
  graph->add_option("DIR", g.folder, "A study's folder")->required();
  graph->add_option("--export", g.format, "graphml, dot, json or csv")->capture_default_str();
  graph->add_option("--arm", g.arm, "Whose graph")->capture_default_str();
  graph->add_option("--target", g.target, "Default: all that were measured");
  graph->add_option("--seed", g.seed, "Default: all that were measured");
  graph->callback([&] { chosen = [&g] { return graph_command(g); }; });
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

int guarded(const Command& command) {
  try {
    return command();
  } catch (const UserError& error) {
    std::cerr << "absorb: " << error.what() << '\n';
    return exit_users_mistake;
  } catch (const c10::Error& error) {
    std::cerr << "absorb: internal error: " << error.what_without_backtrace() << '\n';
    return exit_ours;
  } catch (const std::exception& error) {
    std::cerr << "absorb: internal error: " << error.what() << '\n';
    return exit_ours;
  }
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
  RunOptions run;
  DeployOptions deploy;
  run.argv.assign(argv, argv + argc);
  Path folder;
  std::string what;
  bool markdown = false;
  PlanOptions plan;
  Path before, after;
  TokensOptions tokens;
  CompensateOptions compensate;
  GraphOptions graph;
  ConformOptions conform;
  Command chosen;
  add_run(app, run, chosen);
  add_looks(app, folder, what, markdown, chosen);
  add_plan(app, plan, chosen);
  add_diff(app, before, after, chosen);
  add_deploy(app, deploy, chosen);
  add_tensorboard(app, folder, chosen);
  add_tokens(app, tokens, chosen);
  add_compensation(app, compensate, graph, chosen);
  add_conform(app, conform, chosen);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
    std::cerr << "absorb: " << error.what() << " (absorb --help says more)\n";
    return exit_users_mistake;
  }
  return guarded(chosen);
}

}  // namespace absorb
