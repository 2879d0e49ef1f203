// The blocks of docs/python.md run, one after the other, over a study made of numbers; without the Python packages
// (scripts/setup --tools installs them) this is skipped.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

#include "compensation/graph.h"
#include "core/safetensors.h"
#include "studies/live_run.h"
#include "studies/results.h"
#include "tests/docs/page.h"
#include "tests/studies/synthetic.h"
#include "training/checkpoint.h"
#include "training/metrics.h"

namespace absorb {
namespace {

std::string python() {
  if (const char* chosen = std::getenv("ABSORB_PYTHON")) return chosen;
  const Path own = docs::repository() / ".deps/python/bin/python";
  return std::filesystem::exists(own) ? own.string() : "python3";
}

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

CompensationGraph graph() {
  CompensationGraph graph;
  graph.add_node({"0.attention_router", 0, "attention_router"});
  graph.add_node({"0.q+k+v+o", 0, "q+k+v+o"});
  graph.add_node({"1.block", 1, "block"});
  graph.add_edge(
      {"0.attention_router", "0.q+k+v+o", 0.0125, 0.001, 128, "recovery_unmatched", "learned", "attention", 1});
  graph.add_edge(
      {"0.attention_router", "1.block", 0.05, std::nan(""), 64, "recovery_unmatched", "learned", "attention", 1});
  return graph;
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
  write_results(folder, study, records, analyse(study, records, {"routing gap"}));
  std::ofstream out(folder / "compensation.graphml");
  graph().write_graphml(out);
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
  EXPECT_NE(ran.output.find("attention: 0.attention_router -> 1.block: 0.0500 nats"), std::string::npos) << ran.output;
  EXPECT_NE(ran.output.find("blocks.0.attention.q: "), std::string::npos) << ran.output;
  EXPECT_NE(ran.output.find("routing gap"), std::string::npos) << ran.output;
}

}  // namespace
}  // namespace absorb
