#include "router/conformance/kit.h"

#include <c10/util/Exception.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/error.h"
#include "core/numbers.h"

namespace absorb::conformance {
namespace {

constexpr int64_t sampled_elements = 40;
constexpr double difference = 1e-5;

std::string first_line(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

}  // namespace

void Worst::add(double found, const std::string& at) {
  if (std::isnan(value) || !(std::isnan(found) || found > value)) return;
  value = found;
  where = at;
}

Worst worst_of(const std::vector<Typed>& variants, const std::function<Worst(const Typed&)>& measure) {
  Worst worst;
  for (const Typed& variant : variants) {
    const Worst found = measure(variant);
    worst.add(found.value,
              fmt::format("{}{}{}", found.where, found.where.empty() ? "" : "; ", short_text(variant, variants[0])));
  }
  return worst;
}

bool Checks::add(const std::string& name, const std::string& what, double bound,
                 const std::function<Worst()>& measure) {
  Worst worst;
  try {
    worst = measure();
  } catch (const c10::Error& error) {
    worst = {nan, first_line(error.what_without_backtrace())};
  } catch (const std::exception& error) {
    worst = {nan, first_line(error.what())};
  }
  const bool passed = worst.value <= bound;
  const std::string where = passed || worst.where.empty() ? "" : fmt::format(" ({})", worst.where);
  list_.push_back({type_, kind_, role_, name, worst.value, bound, passed, what + where});
  return passed;
}

Worst not_refused(const std::function<void()>& call) {
  try {
    call();
  } catch (const UserError& error) {
    const std::string message = error.what();
    const bool one_line = !message.empty() && message.find('\n') == std::string::npos;
    return one_line ? Worst{} : Worst{1, "its message isn't one line"};
  } catch (const c10::Error& error) {
    return {1, "no UserError, but: " + first_line(error.what_without_backtrace())};
  } catch (const std::exception& error) {
    return {1, "no UserError, but: " + first_line(error.what())};
  }
  return {1, "it was accepted"};
}

double differing(const Tensor& a, const Tensor& b) {
  if (a.sizes() != b.sizes() || a.scalar_type() != b.scalar_type())
    return static_cast<double>(std::max<int64_t>(a.numel(), 1));
  return static_cast<double>((a != b).sum().item<int64_t>());
}

namespace {

// Each element once in a small leaf; otherwise a fixed random sample.
std::vector<int64_t> chosen_elements(const std::string& leaf, int64_t n) {
  std::vector<int64_t> out(static_cast<std::size_t>(std::min(n, sampled_elements)));
  std::iota(out.begin(), out.end(), 0);
  if (n <= sampled_elements) return out;
  Random numbers(stream_key(1, "conformance/elements/" + leaf));
  for (int64_t& element : out) element = static_cast<int64_t>(numbers.below(static_cast<uint64_t>(n)));
  return out;
}

double central_difference(Tensor element, const std::function<Tensor()>& value) {
  const double at = element.item<double>();
  element.fill_(at + difference);
  const double up = value().item<double>();
  element.fill_(at - difference);
  const double down = value().item<double>();
  element.fill_(at);
  return (up - down) / (2 * difference);
}

std::vector<Tensor> autograd(const std::vector<std::pair<std::string, Tensor>>& leaves,
                             const std::function<Tensor()>& value) {
  std::vector<Tensor> inputs, gradients;
  for (const auto& [name, leaf] : leaves) inputs.push_back(leaf);
  const Tensor result = value();
  if (result.requires_grad())
    gradients = torch::autograd::grad({result}, inputs, {}, /*retain_graph=*/std::nullopt, /*create_graph=*/false,
                                      /*allow_unused=*/true);
  gradients.resize(inputs.size());
  for (std::size_t i = 0; i < inputs.size(); ++i)
    if (!gradients[i].defined()) gradients[i] = at::zeros_like(inputs[i]);
  return gradients;
}

}  // namespace

std::vector<Derivatives> differentiate(const std::vector<std::pair<std::string, Tensor>>& leaves,
                                       const std::function<Tensor()>& value, std::function<Tensor()> reference) {
  if (leaves.empty()) return {};
  if (!reference) reference = value;
  const std::vector<Tensor> gradients = autograd(leaves, value);
  at::NoGradGuard no_grad;
  std::vector<Derivatives> out;
  for (std::size_t i = 0; i < leaves.size(); ++i) {
    const auto& [name, leaf] = leaves[i];
    const Tensor gradient = gradients[i].reshape({-1}), values = leaf.view({-1});
    Worst error, numeric, all;
    all.add(gradient.abs().max().item<double>());
    for (const int64_t element : chosen_elements(name, leaf.numel())) {
      const double found = central_difference(values[element], reference);
      error.add(std::abs(gradient[element].item<double>() - found));
      numeric.add(std::abs(found));
    }
    out.push_back({name, error.value, all.value, numeric.value});
  }
  return out;
}

Tensor summary(const Tensor& weights) {
  return (weights *
          gauss({stream_key(1, "conformance/summary"), {}}, weights.sizes(), at::kCPU).to(weights.scalar_type()))
      .sum();
}

}  // namespace absorb::conformance
