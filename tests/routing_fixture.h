// What tests of routing share: settings from TOML text, a route at a site, and gradients checked by central
// differences.
#pragma once

#include <gtest/gtest.h>
#include <torch/types.h>

#include <functional>

#include "router/route.h"

namespace absorb::testing {

inline RoutingSettings routing(const std::string& toml) {
  return read_settings<RoutingSettings>(Settings::from_text(toml, "test"));
}

inline RoutingTask attention_task(int64_t width = 8, int64_t heads = 2) {
  return {width, heads, 0, Visible::causal, {0, Part::attention_router, 0}};
}

inline RoutingTask moe_task(int64_t width = 8, int64_t experts = 4) {
  return {width, 1, experts, Visible::all, {0, Part::expert_router, 0}};
}

/// Unit-variance features, the same in every run.
inline Tensor features(at::IntArrayRef shape, const std::string& name = "x", at::ScalarType type = at::kDouble) {
  return gauss({stream_key(7, name), {}}, shape, at::kCPU).to(type);
}

inline RouterInput input_for(const RoutingTask& task, const Tensor& x) {
  return {x, task.attention() ? x : Tensor(), {}};
}

/// Largest |analytic - central difference| of `loss` over every element of `x`, a double leaf, relative to 1.
inline double gradient_error(const std::function<Tensor()>& loss, Tensor x, double step = 1e-5) {
  x.mutable_grad() = Tensor();
  loss().backward();
  const Tensor analytic = x.grad().clone().view({-1});
  at::NoGradGuard no_grad;
  double worst = 0;
  for (int64_t i = 0; i < x.numel(); ++i) {
    Tensor element = x.view({-1})[i];
    const double value = element.item<double>();
    element.fill_(value + step);
    const double up = loss().item<double>();
    element.fill_(value - step);
    const double down = loss().item<double>();
    element.fill_(value);
    worst = std::max(worst, std::abs(analytic[i].item<double>() - (up - down) / (2 * step)));
  }
  return worst;
}

}  // namespace absorb::testing
