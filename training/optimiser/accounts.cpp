#include "training/optimiser/accounts.h"

#include <torch/types.h>

#include <nlohmann/json.hpp>

namespace absorb {
namespace {

// [router numbers] of a flat buffer.
Tensor router_numbers(const Parameters& parameters) {
  std::vector<Tensor> parts;
  parameters.each_slice([&](const Slice& slice, int64_t begin, int64_t end) {
    if (is_router(slice.component.part) && !is_copy(slice))
      parts.push_back(parameters.flat().narrow(0, begin, end - begin));
  });
  return parts.empty() ? at::empty({0}, parameters.flat().options()) : at::cat(parts);
}

}  // namespace

Accounts::Accounts(const Parameters& parameters) : parameters_(parameters) {
  at::NoGradGuard no_grad;
  initial_ = router_numbers(parameters).clone();
}

Account Accounts::measure(const Pass& pass) const {
  at::NoGradGuard no_grad;
  Account account;
  std::map<Part, Tensor> squares;
  parameters_.each_slice([&](const Slice& slice, int64_t begin, int64_t end) {
    if (!slice.trained) return;
    const Tensor norm = parameters_.flat_gradient().narrow(0, begin, end - begin).norm();
    Tensor& sum = squares[slice.component.part];
    sum = sum.defined() ? sum + norm.square() : norm.square();
  });
  for (const auto& [part, square] : squares) account["grad_norm/" + std::string(to_string(part))] = square.sqrt();
  for (const auto& [site, density] : pass.out.densities) account["density/" + site] = density;
  if (pass.out.operations.defined()) account["flops_per_token"] = pass.out.operations;
  if (initial_.numel() > 0)
    account["router_displacement"] = (router_numbers(parameters_) - initial_).norm() / initial_.norm().clamp_min(1e-30);
  return account;
}

void write_account(const Account& account, nlohmann::json& line) {
  std::vector<std::string> zero;
  for (const auto& [key, value] : account) {
    line[key] = value.item<double>();
    if (key.starts_with("grad_norm/") && value.item<double>() == 0) zero.push_back(key.substr(10));
  }
  if (!zero.empty()) line["zero_gradient"] = zero;
}

}  // namespace absorb
