// What travels through every forward call besides the tensors themselves, passed explicitly so that two passes never
// share hidden state.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/random.h"

namespace absorb {

/// A named place in the model: "blocks.3.attention", "blocks.3.experts".
using Site = std::string;

struct Pass {
  bool training = false;
  uint64_t seed = 0;
  Tensor step = {};    // int64 scalar on the device, so that a captured graph advances; undefined: step 0
  Tensor tokens = {};  // [B,T] int64
  /// Routing losses by "<site>/<loss>", already multiplied by their coefficients; the trainer adds them up.
  std::map<std::string, Tensor> losses = {};
  /// Whether routes also leave in `densities` the share of visible choices that each of them kept, by site.
  bool account = false;
  std::map<Site, Tensor> densities = {};
  /// What has to happen once the step is taken, without gradients: selections and routers with state leave it here.
  std::vector<std::function<void()>> after_step = {};

  /// The stream of one purpose at one site at this step: the same in every arm of a seed.
  RandomKey random(std::string_view purpose, const Site& site) const;
  /// x with each element dropped with probability `rate` in training; x itself otherwise.
  Tensor dropout(const Tensor& x, double rate, const Site& site) const;
};

}  // namespace absorb
