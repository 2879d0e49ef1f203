// One run from its settings to DONE: claim, train, evaluate, deploy, write. Everything in its folder is whole or
// absent:
//
//   settings.json settings.toml  resolved     metrics.jsonl    a line a step
//   run.json       provenance     result.json  losses, health, counts    files.json  checksums of what stays
//   checkpoints/   while it trains             weights.safetensors moments.safetensors documents.safetensors
//   FAILED         why, or DONE   last of all
#pragma once

#include "studies/folder/claim.h"
#include "studies/plan/plan.h"
#include "training/loop.h"

namespace absorb {

struct RunnerOptions {
  at::Device device = at::kCPU;
  std::vector<std::string> argv;
  int64_t top_k = 0;  // of the concentration line
  bool fused = true;  // kernels where there are some; false: LibTorch's composition of everything
  int64_t jobs = 1;   // runs of this process at a time: for provenance
  /// Whether others hold memory of the same GPU now: where it runs out then, execute() throws c10::OutOfMemoryError.
  std::function<bool()> shares_memory;
  /// Throws the UserError that says what would fit where it doesn't; null: execute() throws c10::OutOfMemoryError.
  std::function<void(const RunSettings&, int64_t vocabulary)> explain_memory;
  std::function<void(const RunSpec&, const Progress&)> progress;
  std::function<void(const std::string&)> say;  // one line
};

enum class RunEnd { done, failed, interrupted };

/// True when DONE or FAILED closes the run.
bool is_closed(const RunSpec& run);
/// Trains and closes a run that this process has claimed, on the thread's current stream. UserError with what would fit
/// where the memory of a GPU runs out.
RunEnd execute(const RunSpec& run, Claim& claim, const RunnerOptions& options);

}  // namespace absorb
