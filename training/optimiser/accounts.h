// The gradient account of a step (science.md section 4): what flows into the router and into each part of the backbone,
// with exact zeros flagged, how much of the choice each layer kept, and how far the routers have moved.
#pragma once

#include <map>
#include <nlohmann/json_fwd.hpp>

#include "tensors/parameters.h"
#include "tensors/pass.h"

namespace absorb {

/// Scalars on the device, by the key they have in metrics.jsonl: "grad_norm/<part>" (before clipping),
/// "density/<site>", "flops_per_token" (PassOutput::operations), "router_displacement" (|now - initial| / |initial|
/// over all router parameters).
using Account = std::map<std::string, Tensor>;

class Accounts {
 public:
  /// `parameters` as they are when training begins, at step 0.
  explicit Accounts(const Parameters& parameters);
  /// Goes on from the initial values of a checkpoint.
  Accounts(const Parameters& parameters, Tensor initial) : parameters_(parameters), initial_(std::move(initial)) {}
  /// After backward, before the optimiser's step.
  Account measure(const Pass& pass) const;
  /// Initial values of the routers, for a checkpoint.
  const Tensor& initial() const { return initial_; }

 private:
  Parameters parameters_;
  Tensor initial_;  // [router numbers], in the order of the table
};

/// Adds an account to a line of metrics, with "zero_gradient": the parts whose norm is exactly 0.
void write_account(const Account& account, nlohmann::json& line);

}  // namespace absorb
