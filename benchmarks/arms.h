// The runs that are timed: two sizes, four arms. benchmarks/peer/step.py builds the same ones in PyTorch, and
// benchmarks/peer/compare.py checks that both sides count the same parameters and tokens.
#pragma once

#include <string>

#include "transformer/model.h"

namespace absorb::bench {

/// A size of configs/models/ as far as a step's time depends on it.
struct ArmSize {
  std::string name;
  ModelSettings model;
  int64_t vocabulary = 256, batch = 32;  // batch: sequences a step
  RoutingSettings attention, moe;        // learned arms
};

inline RoutingSettings routing(const std::string& toml) {
  return read_settings<RoutingSettings>(Settings::from_text(toml, "benchmark"));
}

/// Bytes, width 128, two layers: what the quick studies train (docs/science.md section 7).
inline ArmSize small_size() {
  ArmSize size;
  size.name = "small";
  size.attention = routing(R"(router = { type = "bilinear", rank = 32 }
selection = { type = "soft" }
apply = "log_bias")");
  size.moe = routing(R"(router = { type = "bilinear", rank = 32 }
selection = { type = "top_k", k = 2, weight = "softmax_kept" }
losses = { load_balance = 0.01 })");
  return size;
}

/// The paper's model and protocol (docs/science.md section 2), with two sequences a step for a CPU's sake.
inline ArmSize paper_size() {
  ArmSize size;
  size.name = "paper";
  size.vocabulary = 50257;
  size.batch = 2;
  size.model.layers = 6;
  size.model.width = 256;
  size.model.context = 512;
  size.model.dropout = 0.1;
  size.model.moe.hidden = 512;
  size.model.moe.biases = false;
  size.attention = routing(R"(router = { type = "bilinear", rank = 32 }
selection = { type = "soft" }
apply = "scale_logits"
losses = { sparsity = 1.0 }
score_sd = 0.0)");
  size.moe = routing(R"(router = { type = "linear" }
selection = { type = "top_k", k = 2, weight = "softmax" }
losses = { load_balance = 0.01 }
score_sd = 0.0)");
  return size;
}

}  // namespace absorb::bench
