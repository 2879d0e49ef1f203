#include "training/trainer.h"

#include <torch/types.h>

#include <bit>

#include "core/error.h"
#include "tensors/kernels/kernel_choice.h"

namespace absorb {
namespace {

// LibTorch's and cuBLAS's own state settles during these.
constexpr int64_t steps_before_capture = 3;

// Adds the routing losses to `total`, and what they are to `routing`: few operations on a GPU, one after the other on a
// CPU.
void add_losses(const std::map<std::string, Tensor>& losses, double share, Tensor& total, Tensor& routing) {
  const auto add = [&](const Tensor& value) {
    total = total + value;
    routing = routing.defined() ? routing + value.detach() : value.detach();
  };
  if (losses.empty() || !total.is_cuda()) {
    for (const auto& [name, value] : losses) add(value * share);
    return;
  }
  Tensors values;
  for (const auto& [name, value] : losses) values.push_back(value.to(at::kFloat));
  const Tensor sum = at::stack(values).sum();
  add(share == 1 ? sum : sum * share);
}

}  // namespace

Tensor mean_loss(const Tensor& token_losses, const Batch& batch) {
  return token_losses.sum() / (batch.targets >= 0).sum().to(token_losses.scalar_type());
}

Trainer::Trainer(const Parameters& parameters, TokenLosses losses, const TrainingSettings& settings, uint64_t seed,
                 std::shared_ptr<const FusedWeights> fused)
    : parameters_(parameters),
      losses_(std::move(losses)),
      settings_(settings),
      seed_(seed),
      fused_(std::move(fused)),
      optimiser_(parameters, settings, fused_),
      accounts_(parameters),
      following_(parameters),
      capturable_(fused_ != nullptr && can_capture(parameters.flat().device())) {
  if (fused_) fused_->refresh();
}

void Trainer::restore(int64_t step, const std::map<std::string, Tensor>& optimiser) {
  optimiser_.load(optimiser);
  accounts_ = Accounts(parameters_, optimiser.at("initial_routers").to(parameters_.flat().device()));
  following_.load(optimiser);
  steps_done_ = step;
  if (fused_) fused_->refresh();
}

NamedTensors Trainer::optimiser_state() const {
  NamedTensors state = optimiser_.state();
  state.emplace_back("initial_routers", accounts_.initial());
  for (const auto& [name, tensor] : following_.state()) state.emplace_back(name, tensor);
  return state;
}

void Trainer::load(std::span<const Batch> micro_batches, const StepResult& step) {
  const at::Device device = parameters_.flat().device();
  const int64_t micros = static_cast<int64_t>(micro_batches.size()), numbers = micro_batches[0].tokens.numel();
  const auto sizes = micro_batches[0].tokens.sizes();
  std::vector<int64_t> shape = sizes.vec();
  shape.insert(shape.begin(), micros);
  if (shape != inputs_.shape) {
    graph_ = nullptr;
    ordinary_steps_ = 0;
    inputs_ = {};
    inputs_.shape = shape;
    inputs_.all = at::empty({2 + 2 * micros * numbers}, at::TensorOptions().dtype(at::kLong).device(device));
    inputs_.step = inputs_.all[0];
    inputs_.rate = inputs_.all.narrow(0, 1, 1).view(at::kFloat)[0];
    for (int64_t micro = 0; micro < micros; ++micro) {
      const auto view = [&](int64_t which) {
        return inputs_.all.narrow(0, 2 + (2 * micro + which) * numbers, numbers).view(sizes);
      };
      inputs_.batches.push_back({view(0), view(1)});
    }
  }
  // Pinned memory is handed out again only once the copy from it is over.
  Tensor staged =
      at::empty({inputs_.all.numel()}, at::TensorOptions().dtype(at::kLong).pinned_memory(device.is_cuda()));
  int64_t* data = staged.mutable_data_ptr<int64_t>();
  data[0] = step.step;
  data[1] = std::bit_cast<int32_t>(static_cast<float>(step.learning_rate));
  for (int64_t micro = 0; micro < micros; ++micro) {
    const Batch& batch = micro_batches[static_cast<std::size_t>(micro)];
    staged.narrow(0, 2 + 2 * micro * numbers, numbers).view(sizes).copy_(batch.tokens);
    staged.narrow(0, 2 + (2 * micro + 1) * numbers, numbers).view(sizes).copy_(batch.targets);
  }
  inputs_.all.copy_(staged, /*non_blocking=*/true);
}

void Trainer::follow(int64_t step) {
  const BesideNoCapture ordinary;
  if (following_.before(step) && fused_) fused_->refresh();
}

StepResult Trainer::step(std::span<const Batch> micro_batches) {
  StepResult result;
  result.step = ++steps_done_;
  follow(result.step);
  result.learning_rate = learning_rate(settings_, result.step);
  load(micro_batches, result);
  if (optimiser_.prepare(result.step)) graph_ = nullptr;
  const bool accounts = result.step % settings_.accounts_every == 0 || result.step == 1;
  if (!accounts && capturable_ && !graph_ && ordinary_steps_ >= steps_before_capture) capture();
  if (accounts || !graph_) {
    const BesideNoCapture ordinary;
    compute(result, accounts);
    ++ordinary_steps_;
    return result;
  }
  graph_->replay();
  result.loss = replayed_.loss.clone();
  result.grad_norm = replayed_.grad_norm.clone();
  if (replayed_.routing_loss.defined()) result.routing_loss = replayed_.routing_loss.clone();
  return result;
}

void Trainer::capture() {
  replayed_ = {};
  try {
    graph_ = std::make_unique<const StepGraph>([this] { compute(replayed_, /*accounts=*/false); });
  } catch (const c10::OutOfMemoryError&) {  // slower, and the same bits
    say_composed("a captured step (the GPU's memory doesn't hold it beside an ordinary one)");
    capturable_ = false;
  } catch (const c10::Error& error) {
    say_composed(fmt::format("a captured step ({})", error.what_without_backtrace()));
    capturable_ = false;
  }
}

namespace {

// Every site once, with what all micro-batches left for it.
void update_states(const std::vector<AfterStep>& all) {
  std::vector<Site> done;
  for (const AfterStep& first : all) {
    if (std::ranges::count(done, first.site) > 0) continue;
    done.push_back(first.site);
    std::vector<AfterStep::Seen> seen;
    for (const AfterStep& other : all)
      if (other.site == first.site) seen.push_back(other.seen);
    first.update(seen);
  }
}

// What multiplies every token's loss, known before they are.
Tensor loss_scale(const Batch& batch, double share) {
  return (batch.targets >= 0).sum().to(at::kFloat).reciprocal() * share;
}

}  // namespace

void Trainer::compute(StepResult& result, bool accounts) {
  parameters_.flat_gradient().zero_();
  std::vector<AfterStep> after_step;
  const auto micros = static_cast<int64_t>(inputs_.batches.size());
  const double share = 1.0 / static_cast<double>(micros);
  const auto add = [](Tensor& sum, const Tensor& value) { sum = sum.defined() ? sum + value : value; };
  for (int64_t micro = 0; micro < micros; ++micro) {
    const Batch& batch = inputs_.batches[static_cast<std::size_t>(micro)];
    Pass pass{.in = {.training = true,
                     .weights_in_step = true,
                     .seed = seed_,
                     .step = micros == 1 ? inputs_.step : inputs_.step * micros + micro,
                     .loss_scale = fused_ ? loss_scale(batch, share) : Tensor(),
                     .account = accounts && micro + 1 == micros}};
    const Tensor mean = mean_loss(losses_(batch, pass), batch), loss = share == 1 ? mean : mean * share;
    Tensor total = loss;
    add_losses(pass.out.losses, share, total, result.routing_loss);
    total.backward();
    add(result.loss, loss.detach());
    after_step.insert(after_step.end(), pass.out.after_step.begin(), pass.out.after_step.end());
    if (pass.in.account) result.account = accounts_.measure(pass);
    if (pass.out.waits) capturable_ = false;
  }
  result.grad_norm = optimiser_.step(result.learning_rate, inputs_.rate);
  at::NoGradGuard no_grad;
  update_states(after_step);
}

}  // namespace absorb
