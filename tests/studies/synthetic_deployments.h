// Deployments and gradient accounts made of numbers, for synthetic.h.
#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "core/numbers.h"
#include "studies/analysis/analysis.h"

namespace absorb::synthetic {

/// Between -1 and 1, another for every number.
inline double wave(double number) {
  return std::sin(12.9898 * number + 78.233 * number * number);
}

inline bool routes(const RunRecord& record, const std::string& kind) {
  return record.target == kind || record.target == "both";
}

/// The record under `key`, `cost` nats above its own loss.
inline DeployedRecord& deploy(RunRecord& record, const std::string& deployment, const std::string& key, double cost) {
  DeployedRecord& out = record.deployments[key];
  out.deployment = deployment;
  out.closed = record.val_loss + cost;
  out.open = out.compounding = nan;
  for (const char* kind : {"attention", "moe"})
    if (routes(record, kind)) out.agreement[kind] = {0.62, 0.45, 0.71, 0.86, 0.25};
  record.evaluations[key] = out.closed;
  return out;
}

/// "hard" in both loops with partial hardening of `layers` layers, and a transplant of the routers of every arm: an
/// arm's own cost nothing, the others the more, the farther they stand in the list.
inline void add_deployments(RunRecord& record, const std::vector<std::string>& arms, int64_t layers, double number) {
  const double cost =
      (record.arm == "learned" ? 0.21 : 0.05) * (record.target == "moe" ? 1.6 : 1) + 0.01 * wave(number);
  DeployedRecord& hard = deploy(record, "hard", "hard", cost);
  hard.open = record.val_loss + 0.7 * cost;
  hard.compounding = 1 / 0.7;
  for (int64_t r = 0; r <= layers; ++r) {
    const double share = static_cast<double>(r) / static_cast<double>(layers);
    hard.hardening.push_back(record.val_loss + cost * share * share);
  }
  if (routes(record, "moe")) hard.gain_correlation["0.moe"] = 0.4 + 0.1 * wave(number);
  double own = 0, place = 0;
  for (size_t i = 0; i < arms.size(); ++i)
    if (arms[i] == record.arm) own = static_cast<double>(i);
  for (const std::string& arm : arms) {
    const double far = std::abs(place - own);
    deploy(record, "transplant", "transplant." + arm,
           far == 0 ? 0 : 0.11 * far + 0.01 * wave(number + place) - (arm == "random2" ? 0.15 : 0));
    ++place;
  }
}

/// `accounts` of them. Frozen routers have none of their own; the learned attention router's gradient is exactly zero
/// in target attention, that of v in the first account alone.
inline void add_accounts(RunRecord& record, int64_t accounts, double number) {
  const bool learned = record.arm == "learned";
  for (int64_t i = 0; i < accounts; ++i) {
    AccountPoint point;
    point.step = 1 + i * 600 / accounts;
    const double decay = std::exp(-static_cast<double>(i) / 20) + 0.05;
    const auto norm = [&](const std::string& part, double size) {
      const double noise = 1 + 0.2 * wave(number + static_cast<double>(i));
      const double value = learned && part == "attention_router" && record.target == "attention" ? 0
                           : part == "v" && i == 0                                               ? 0
                                                                                                 : size * decay * noise;
      point.values["grad_norm/" + part] = value;
      if (value == 0) point.zero_gradient.push_back(part);
    };
    if (learned && routes(record, "attention")) norm("attention_router", 0.004);
    if (learned && routes(record, "moe")) norm("expert_router", 0.02);
    for (const char* part : {"q", "k"}) norm(part, 0.11);
    norm("v", 0.3);
    norm("o", 0.4);
    if (routes(record, "moe")) norm("expert", 0.9);
    if (record.target == "attention") norm("feed_forward", 0.8);
    point.values["router_displacement"] = learned ? 0.75 * static_cast<double>(i) / static_cast<double>(accounts) : 0;
    record.accounts.push_back(std::move(point));
  }
}

}  // namespace absorb::synthetic
