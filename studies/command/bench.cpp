// absorb bench: how fast a training step is, what it is made of, and how far that is from the least it could take.
#include <c10/util/Exception.h>

#include <algorithm>
#include <charconv>
#include <iostream>
#include <optional>

#include "core/device.h"
#include "core/error.h"
#include "studies/command/commands.h"
#include "studies/cost/bench.h"
#include "studies/cost/floor.h"
#include "studies/cost/memory.h"
#include "studies/cost/together.h"
#include "studies/plan/plan.h"
#include "studies/report/text/table.h"
#include "studies/report/text/text_table.h"
#include "training/data/vocabulary.h"

namespace absorb {
namespace {

constexpr double peak_bf16 = 989e12;  // operations a second, dense, of an H100 or H200 (NVIDIA's datasheet)
constexpr int64_t traced_steps = 10, default_vocabulary = 50257;

std::vector<std::string> all_sets(const BenchOptions& o) {
  std::vector<std::string> sets = o.sets;
  if (o.context > 0) sets.push_back(fmt::format("model.context={}", o.context));
  if (!o.precision.empty()) sets.push_back(fmt::format("training.precision={}", o.precision));
  return sets;
}

// A file, or the name of one in configs/models/.
Path model_file(const std::string& name) {
  for (const Path& file : {Path(name), Path("configs/models") / (name + ".toml")})
    if (std::filesystem::is_regular_file(file)) return file;
  user_error("--model {}: there is no such file, nor configs/models/{}.toml", name, name);
}

// What a model without a study is routed by; --set lays over it.
Settings usual_tables() {
  return Settings::from_text(fmt::format(R"([data]
type = "tokens"
train = "random"
valid = "random"
vocabulary = {}
[routing]
router = {{ type = "bilinear", rank = 32 }}
[routing.attention]
selection = {{ type = "soft" }}
[routing.moe]
selection = {{ type = "top_k", k = 2, weight = "sigmoid" }}
)",
                                         default_vocabulary),
                             "absorb bench");
}

RunSettings run_of_model(const BenchOptions& o) {
  Settings tables = usual_tables(), model = Settings::from_file(model_file(o.model));
  tables.merge(model);
  for (const std::string& set : all_sets(o)) tables.merge(Settings::from_assignment(set));
  target_named(o.target.empty() ? "dense" : o.target);
  RunSettings run = read_run_settings(tables, o.target.empty() ? "dense" : o.target, /*seed=*/1);
  match_to_dense(run, "parameters", stated_vocabulary(run.data));
  return run;
}

RunSettings run_of_study(const BenchOptions& o) {
  require(o.model.empty(), "--model and --study exclude each other: a study has a model of its own");
  require(!o.arm.empty(), "--study needs --arm: an arm of that study, or dense");
  std::vector<std::string> arms;
  const RunPlan plan = plan_runs(read_study(o.study, all_sets(o)), "runs");
  for (const RunSpec& run : plan.runs) {
    if (run.arm == o.arm && (o.target.empty() || o.target == run.settings.target)) return run.settings;
    const std::string name = run.settings.target == "dense" ? run.arm : run.arm + " (" + run.settings.target + ")";
    if (std::find(arms.begin(), arms.end(), name) == arms.end()) arms.push_back(name);
  }
  user_error("{} runs no arm \"{}\"{}; it runs {}", o.study.string(), o.arm,
             o.target.empty() ? "" : " with target " + o.target, join(arms));
}

void set_tokens(RunSettings& run, int64_t tokens) {
  if (tokens == 0) return;
  require(tokens % run.model.context == 0, "--tokens {} is no whole number of sequences of {} tokens", tokens,
          run.model.context);
  run.training.batch = tokens / run.model.context;
}

struct Subject {
  std::string name, card, precision;
  int64_t vocabulary = 0;
  Size size;
};

Subject subject_of(const BenchOptions& o, const RunSettings& run, at::Device device) {
  Subject s;
  s.name = o.study.empty() ? fmt::format("{}, target {}", o.model, run.target)
                           : fmt::format("{}, arm {}, target {}", o.study.string(), o.arm, run.target);
  s.card = device_name(device);
  s.precision = run.training.precision;
  s.vocabulary = stated_vocabulary(run.data);
  s.size = size_of(run, s.vocabulary);
  return s;
}

// The least time of a step, by operation, at the rates of this device now.
Json floor_of(const BenchRun& run, const Subject& subject, at::Device device) {
  const DeviceRates rates{copy_bandwidth(device), product_rate(subject.precision, run.settings().training.tf32)};
  const auto operations = step_operations(run.settings(), subject.vocabulary, subject.precision);
  Json out = {{"copy_bytes_per_sec", rates.bytes_per_second},
              {"product_operations_per_sec", rates.operations_per_second},
              {"floor_ms", 1e3 * floor_seconds(operations, rates)}};
  double fused = 0;
  for (const FloorOperation& operation : operations)
    if (operation.name != loss_pass) fused += floor_seconds(operation, rates);
  out["fused_head_floor_ms"] = 1e3 * fused;
  for (const FloorOperation& operation : operations)
    out["floor"].push_back({{"name", operation.name},
                            {"count", operation.count},
                            {"bytes", operation.bytes},
                            {"operations", operation.operations},
                            {"ms", 1e3 * floor_seconds(operation, rates)}});
  return out;
}

Json answer(BenchRun& run, const Subject& subject, at::Device device, const std::string& line) {
  if (line == "floor") {
    require(device.is_cuda(), "the floor of a step is that of a GPU");
    return floor_of(run, subject, device);
  }
  int64_t steps = 0;
  const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), steps);
  require(error == std::errc() && *end == '\0' && steps > 0,
          "--resident reads a number of steps, floor or quit a line");
  const StepTimes times = run.time(steps);
  return {{"ms", median(times)},
          {"min_ms", least(times)},
          {"steps", steps},
          {"peak_bytes", run.peak()},
          {"loss", run.last_loss()}};
}

// The same lines of JSON as benchmarks/peer/gpu.py --resident, and a line "floor", which that has none of.
int serve(BenchRun& run, const Subject& subject, const BenchOptions& o, at::Device device) {
  const Json about = {{"ready", true},
                      {"program", "absorb"},
                      {"device", subject.card},
                      {"arm", o.arm},
                      {"target", run.settings().target},
                      {"precision", subject.precision},
                      {"kernels", o.kernels},
                      {"captured", run.captured()},
                      {"parameters", subject.size.parameters.unique},
                      {"tokens", run.tokens()},
                      {"loss", run.first_loss()}};
  std::cout << about << std::endl;
  for (std::string line; std::getline(std::cin, line) && line != "quit";)
    std::cout << answer(run, subject, device, line) << std::endl;
  return exit_done;
}

Json measured(BenchRun& run, const Subject& subject, const BenchOptions& o, at::Device device) {
  const StepTimes times = run.time(o.steps);
  const double ms = median(times), tokens = static_cast<double>(run.tokens());
  Json out = {{"program", "absorb"},
              {"subject", subject.name},
              {"device", subject.card},
              {"precision", subject.precision},
              {"kernels", o.kernels},
              {"parameters", subject.size.parameters.unique},
              {"tokens", run.tokens()},
              {"context", run.settings().model.context},
              {"steps", o.steps},
              {"ms", ms},
              {"min_ms", least(times)},
              {"tokens_per_sec", tokens / (1e-3 * ms)},
              {"flops_per_token", 3 * subject.size.flops_per_token},
              {"captured", run.captured()},
              {"loss", run.last_loss()}};
  if (!device.is_cuda()) return out;
  out["peak_bytes"] = run.peak();
  out["mfu"] = 3 * subject.size.flops_per_token * tokens / (1e-3 * ms) / peak_bf16;
  const KernelTrace trace = run.trace(traced_steps);
  out["busy_ms"] = 1e3 * trace.busy_seconds / traced_steps;
  for (const KernelTime& kernel : trace.kernels)
    out["kernel"].push_back({{"name", kernel.name},
                             {"count", static_cast<double>(kernel.count) / traced_steps},
                             {"ms", 1e3 * kernel.seconds / traced_steps}});
  out.update(floor_of(run, subject, device));
  return out;
}

std::string summary(const Json& m) {
  const double ms = m["ms"], tokens = m["tokens"], context = m["context"];
  std::string out = fmt::format(
      "{}\n{}, {}, kernels {}{}\n"
      "{:.2f} M parameters, {:.0f} tokens a step ({:.0f} sequences of {:.0f})\n\n"
      "  step      {:.3f} ms, median of {} (least {:.3f})\n"
      "  speed     {:.4g} M tokens/s\n",
      m["subject"].get<std::string>(), m["device"].get<std::string>(), m["precision"].get<std::string>(),
      m["kernels"].get<std::string>(), m["captured"].get<bool>() ? ", a step replayed from a graph" : "",
      1e-6 * m["parameters"].get<double>(), tokens, tokens / context, context, ms, m["steps"].get<int64_t>(),
      m["min_ms"].get<double>(), 1e-6 * m["tokens_per_sec"].get<double>());
  if (m.contains("share_ms"))
    out += fmt::format("  together  {:.4g} M tokens/s with {} runs at a time, {:.3f} of one\n",
                       1e-3 * tokens / m["share_ms"].get<double>(), m["jobs"].get<int64_t>(),
                       ms / m["share_ms"].get<double>());
  if (!m.contains("floor_ms")) return out;
  return out + fmt::format(
                   "  memory    {:.2f} GiB at most\n"
                   "  MFU       {:.1f} % of {:.0f} TFLOP/s, the dense bf16 peak of an H100 or H200 ({:.1f} MFLOP a "
                   "token, 3 x forward)\n"
                   "  floor     {:.3f} ms at {:.2f} TB/s (copy, measured) and {:.0f} TFLOP/s: {:.2f} of the step\n"
                   "            {:.3f} ms without a pass of its own over the logits for the loss: {:.2f}\n"
                   "  idle      {:.3f} ms, {:.1f} % of the step\n",
                   m["peak_bytes"].get<double>() / (1 << 30), 100 * m["mfu"].get<double>(), 1e-12 * peak_bf16,
                   1e-6 * m["flops_per_token"].get<double>(), m["floor_ms"].get<double>(),
                   1e-12 * m["copy_bytes_per_sec"].get<double>(), 1e-12 * m["product_operations_per_sec"].get<double>(),
                   m["floor_ms"].get<double>() / ms, m["fused_head_floor_ms"].get<double>(),
                   m["fused_head_floor_ms"].get<double>() / ms, std::max(0.0, ms - m["busy_ms"].get<double>()),
                   100 * std::max(0.0, 1 - m["busy_ms"].get<double>() / ms));
}

// Rows of {name, count, ms}, the longest first, with their share of the step.
std::string shares(const std::string& title, Json rows, double step_ms) {
  std::sort(rows.begin(), rows.end(), [](const Json& a, const Json& b) { return a["ms"] > b["ms"]; });
  using Align = TextTable::Align;
  TextTable table({{title, Align::words}, {"a step", Align::right}, {"ms", Align::right}, {"% of step", Align::right}});
  for (const Json& row : rows)
    table.row({row["name"], fmt::format("{:g}", row["count"].get<double>()),
               fmt::format("{:.4f}", row["ms"].get<double>()),
               fmt::format("{:.1f}", 100 * row["ms"].get<double>() / step_ms)});
  return '\n' + table.text(table_width);
}

}  // namespace

int bench_command(const BenchOptions& given) {
  BenchOptions o = given;
  if (o.study.empty()) {
    require(o.arm.empty(), "--arm names an arm of a study: give --study as well");
    if (o.model.empty()) o.model = "paper";
  }
  RunSettings settings = o.study.empty() ? run_of_model(o) : run_of_study(o);
  set_tokens(settings, o.tokens);
  const at::Device device = find_device(o.device);
  const Subject subject = subject_of(o, settings, device);
  const int64_t warmup = device.is_cuda() ? 10 : 2;
  std::optional<BenchRun> run;
  try {
    run.emplace(settings, subject.vocabulary, device, o.kernels == "fused", warmup);
  } catch (const c10::OutOfMemoryError&) {
    say_what_fits(settings, subject.vocabulary, device, o.kernels == "fused");
  }
  if (o.resident) return serve(*run, subject, o, device);
  Json m = measured(*run, subject, o, device);
  if (o.jobs > 1) {
    run.reset();
    m["jobs"] = o.jobs;
    m["share_ms"] = 1e3 * step_seconds({settings, subject.vocabulary, device, o.kernels == "fused", o.jobs});
  }
  std::cout << summary(m);
  if (m.contains("kernel")) std::cout << shares("kernel", m["kernel"], m["ms"]);
  if (m.contains("floor")) std::cout << shares("floor", m["floor"], m["ms"]);
  if (!o.json.empty()) write_file(o.json, m.dump(1) + '\n');
  return exit_done;
}

}  // namespace absorb
