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
      accounts_(parameters),
      step_(at::zeros({}, parameters.flat().options().dtype(at::kLong))) {}

void Trainer::restore(int64_t step, const std::map<std::string, Tensor>& optimiser) {
  optimiser_.load(optimiser);
  accounts_ = Accounts(parameters_, optimiser.at("initial_routers").to(parameters_.flat().device()));
  steps_done_ = step;
}

NamedTensors Trainer::optimiser_state() const {
  NamedTensors state = optimiser_.state();
  state.emplace_back("initial_routers", accounts_.initial());
  return state;
}

StepResult Trainer::step(std::span<const Batch> micro_batches) {
  StepResult result;
  result.step = ++steps_done_;
  result.learning_rate = learning_rate(settings_, result.step);
  parameters_.flat_gradient().zero_();
  const bool accounts = result.step % settings_.accounts_every == 0 || result.step == 1;
  std::vector<std::function<void()>> after_step;
  const double share = 1.0 / static_cast<double>(micro_batches.size());
  const auto add = [](Tensor& sum, const Tensor& value) { sum = sum.defined() ? sum + value : value; };
  for (std::size_t micro = 0; micro < micro_batches.size(); ++micro) {
    step_.fill_(result.step * static_cast<int64_t>(micro_batches.size()) + static_cast<int64_t>(micro));
    Pass pass{.training = true, .seed = seed_, .step = step_.clone()};
    pass.account = accounts && micro + 1 == micro_batches.size();
    const Batch& batch = micro_batches[micro];
    const Tensor loss = mean_loss(losses_(batch, pass), batch) * share;
    Tensor total = loss;
    for (const auto& [name, value] : pass.losses) {
      total = total + value * share;
      add(result.routing_loss, (value * share).detach());
    }
    total.backward();
    add(result.loss, loss.detach());
    after_step.insert(after_step.end(), pass.after_step.begin(), pass.after_step.end());
    if (pass.account) result.account = accounts_.measure(pass);
  }
  result.grad_norm = optimiser_.step(result.learning_rate, result.step);
  at::NoGradGuard no_grad;
  for (const auto& update : after_step) update();
  return result;
}

}  // namespace absorb
