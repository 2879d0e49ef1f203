#include "training/trainer.h"

#include <torch/types.h>

#include "core/error.h"

namespace absorb {

Tensor mean_loss(const Tensor& token_losses, const Batch& batch) {
  return token_losses.sum() / (batch.targets >= 0).sum().to(token_losses.scalar_type());
}

Trainer::Trainer(const Parameters& parameters, TokenLosses losses, const TrainingSettings& settings, uint64_t seed)
    : parameters_(parameters),
      losses_(std::move(losses)),
      settings_(settings),
      seed_(seed),
      optimiser_(parameters, settings),
      step_(at::zeros({}, parameters.flat().options().dtype(at::kLong))) {}

void Trainer::restore(int64_t step, const std::map<std::string, Tensor>& optimiser) {
  optimiser_.load(optimiser);
  steps_done_ = step;
}

StepResult Trainer::step(std::span<const Batch> micro_batches) {
  StepResult result;
  result.step = ++steps_done_;
  result.learning_rate = learning_rate(settings_, result.step);
  parameters_.flat_gradient().zero_();
  const double share = 1.0 / static_cast<double>(micro_batches.size());
  const auto add = [](Tensor& sum, const Tensor& value) { sum = sum.defined() ? sum + value : value; };
  for (std::size_t micro = 0; micro < micro_batches.size(); ++micro) {
    step_.fill_(result.step * static_cast<int64_t>(micro_batches.size()) + static_cast<int64_t>(micro));
    Pass pass{.training = true, .seed = seed_, .step = step_.clone()};
    const Batch& batch = micro_batches[micro];
    const Tensor loss = mean_loss(losses_(batch, pass), batch) * share;
    Tensor total = loss;
    for (const auto& [name, value] : pass.losses) {
      total = total + value * share;
      add(result.routing_loss, (value * share).detach());
    }
    total.backward();
    add(result.loss, loss.detach());
  }
  result.grad_norm = optimiser_.step(result.learning_rate);
  return result;
}

}  // namespace absorb
