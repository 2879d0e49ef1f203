// The blocks of docs/python.md run, one after the other, over a study made of numbers; without the Python packages
// (scripts/setup --tools installs them) this is skipped.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/safetensors.h"
#include "studies/analysis/compensation/summaries.h"
#include "studies/report/data/results.h"
#include "studies/run/live_run.h"
#include "tests/docs/page.h"
#include "tests/python.h"
#include "tests/studies/synthetic.h"
#include "tests/studies/synthetic_compensation.h"
#include "training/checkpoint.h"
#include "training/metrics.h"

namespace absorb {
namespace {

using testing::python;

void write_run(const Path& folder, const std::string& arm) {
  std::filesystem::create_directories(folder);
  const std::string frozen = arm == "random" ? "true" : "false";
  const Settings tables = Settings::from_text(
      "model = { layers = 2, width = 16, heads = 2, context = 32 }\ndata.type = 'recall'\n"
      "routing = { router = { type = 'bilinear', rank = 4 }, selection = { type = 'soft' }, frozen = " +
          frozen + " }",
      "test");
  const LiveRun run(read_run_settings(tables, "attention", 1), 64, at::kCPU);
  write_safetensors(folder / "weights.safetensors", named_tensors(run.parameters()));
  Metrics metrics(folder / "metrics.jsonl", 0);
  for (int64_t step = 1; step <= 4; ++step)
    metrics.write({{"step", step},
                   {"loss", 4.0 / static_cast<double>(step)},
                   {"grad_norm", 1.0},
                   {"lr", 1e-3},
                   {"n_tokens_seen", 1024 * step}});
  metrics.write({{"step", 4}, {"val_loss", 1.5}});
  metrics.flush();
}

/// Two layers, as write_run() has; every measurement with its details, as `absorb compensate` leaves them.
CompensationResults measured() {
  CompensationResults results = synthetic::compensation(2);
  for (Measurement& measurement : results.measurements) {
    if (measurement.measure != "recovery") continue;
    measurement.details["results"] = Json::array();
    for (const RunRecoveries& run : results.recoveries)
      if (run.target == measurement.target && run.seed == measurement.seed)
        for (const RecoveryResult& result : run.results) measurement.details["results"].push_back(json_of(result));
  }
  return results;
}

void write_compensation(const Path& folder, const CompensationResults& results) {
  for (const Measurement& each : results.measurements) {
    const Path own = folder / (each.arm + "." + each.target) / ("seed-" + std::to_string(each.seed)) / "compensation";
    std::filesystem::create_directories(own);
    save_measurement(own / (each.measure + ".json"), each);
  }
  const CompensationGraph graph = graph_of(results.measurements);
  std::ofstream graphml(folder / "graph.graphml"), dot(folder / "graph.dot"), json(folder / "graph.json");
  graph.write_graphml(graphml);
  graph.write_dot(dot);
  graph.write_json(json);
}

void write_study(const Path& folder) {
  const Study study = synthetic::small_study();
  std::vector<RunRecord> records = synthetic::small_records();
  for (RunRecord& run : records) {
    run.curve = {{100, 1024, 2.5, run.val_loss + 0.5}, {200, 2048, 2.0, run.val_loss}};
    if (run.target != "dense")
      run.health.push_back({.site = "blocks.0", .entropy = 1.5, .density = 0.5, .score_mean = 0, .score_sd = 1});
  }
  for (const char* arm : {"learned", "random"}) write_run(folder / (std::string(arm) + ".attention") / "seed-1", arm);
  const CompensationResults compensation = measured();
  write_compensation(folder, compensation);
  write_results(folder, {study, {}, records, analyse(study, records, {"routing gap"}), compensation});
}

/// The edge that the page has to print first, from the structs themselves.
std::string strongest_recovery() {
  const CompensationResults results = measured();
  std::optional<MeanEdge> best;
  std::string of;
  for (const std::string& target : targets_of(results))
    for (const MeanEdge& edge : mean_edges(results, "recovery", target))
      if (edge.from != edge.to && (!best || edge.value.mean > best->value.mean)) {
        best = edge;
        of = target;
      }
  return fmt::format("{}: {} -> {}: {:.4f} nats", of, best->from, best->to, best->value.mean);
}

TEST(DocsPython, PageRuns) {
  if (docs::shell(python() + " -c 'import pandas, safetensors.numpy, networkx, numpy'").status != 0)
    GTEST_SKIP() << python() << " lacks pandas, safetensors, networkx or numpy: scripts/setup --tools installs them";
  const docs::Folder folder;
  std::string program;
  for (const docs::Block& block : docs::blocks(docs::repository() / "docs/python.md"))
    if (block.language == "python") program += block.text + '\n';
  ASSERT_GT(program.size(), 1000U);
  write_study(folder.path() / "runs/quick");
  folder.write("page.py", program);
  const docs::Outcome ran =
      docs::shell("cd " + docs::quoted(folder.path().string()) + " && " + python() + " -W error page.py");
  EXPECT_EQ(ran.status, 0) << ran.output;
  EXPECT_NE(ran.output.find(strongest_recovery()), std::string::npos) << strongest_recovery() << '\n' << ran.output;
  EXPECT_NE(ran.output.find("attention - moe: supported"), std::string::npos) << ran.output;
  EXPECT_NE(ran.output.find("1.attention_router m = 0: {5: "), std::string::npos) << ran.output;
  const bool drawn = std::filesystem::exists(folder.path() / "runs/quick/graph.svg");
  EXPECT_EQ(drawn, docs::shell("command -v dot").status == 0) << ran.output;
  EXPECT_NE(ran.output.find("blocks.0.attention.q: "), std::string::npos) << ran.output;
  EXPECT_NE(ran.output.find("routing gap"), std::string::npos) << ran.output;
}

}  // namespace
}  // namespace absorb
