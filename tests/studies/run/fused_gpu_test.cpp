// Fused passes against their definition: the composition in double on a CPU. What a kernel may lose is measured by what
// the bf16 composition loses: at most twice that, plus 1e-3. And bits: twice the same, captured or not.
#include <ATen/Context.h>
#include <gtest/gtest.h>
#include <torch/types.h>

#include "core/device.h"
#include "tensors/linear/fused_weights.h"
#include "tests/routing_fixture.h"
#include "training/trainer.h"
#include "transformer/model.h"

namespace absorb {
namespace {

using testing::routing;

struct Arm {
  std::string name, target, attention, moe;
  double dropout = 0;
  int64_t heads = 2;
  double slack = 2;      // of the composition's error
  int64_t hidden = 128;  // of an expert
  bool waits = false;    // dispatches experts on the host, so that no step can be captured
};

ModelSettings model_settings(const Arm& arm) {
  ModelSettings settings;
  settings.layers = 2;
  settings.width = 128;
  settings.heads = arm.heads;
  settings.context = 96;  // no multiple of a tile
  settings.dropout = arm.dropout;
  settings.init_std = 0.05;
  settings.moe.experts = 4;
  settings.moe.hidden = arm.hidden;
  return settings;
}

constexpr int64_t vocabulary = 300, batch = 5;
// Where rounding moves a choice, errors are as large as luck has it, in the kernels as in the composition.
constexpr double flips = 12;

class Built {
 public:
  Built(const Arm& arm, at::Device device, at::ScalarType type, bool bf16, bool fused)
      : device_(device),
        bf16_(bf16),
        parameters_(3, type),
        model_(model_settings(arm), vocabulary, target_named(arm.target).moe, parameters_),
        routes_(make_routes(model_, target_named(arm.target), routing(arm.attention), routing(arm.moe), parameters_)) {
    parameters_.gather(device);
    if (fused) fused_ = std::make_shared<const FusedWeights>(parameters_);
  }
  TokenLosses losses() const {
    return [this](const Batch& data, Pass& pass) {
      PassInput input = pass.in;
      input.bf16 = bf16_;
      input.fused = fused_;
      return with_input(pass, std::move(input),
                        [&](Pass& informed) { return model_.losses(data.tokens, data.targets, routes_, informed); });
    };
  }
  const Parameters& parameters() const { return parameters_; }
  const std::shared_ptr<const FusedWeights>& fused() const { return fused_; }

  struct Result {
    Tensor losses, gradient;  // [N], [all numbers] double on the CPU
    double routing_loss = 0;
  };
  /// `early`: what multiplies the losses is known in the forward pass, as in training.
  Result run(const Batch& data, bool early = true) const {
    const auto on = at::TensorOptions().dtype(at::kLong).device(device_);
    parameters_.flat_gradient().zero_();
    const Batch here{data.tokens.to(device_), data.targets.to(device_)};
    const Tensor scale = (here.targets >= 0).sum().to(at::kFloat).reciprocal();
    Pass pass{
        .in = {.training = true, .seed = 11, .step = at::full({}, 7, on), .loss_scale = early ? scale : Tensor()}};
    const Tensor nats = losses()(here, pass);
    Tensor total = mean_loss(nats, here);
    Result result{nats.detach().to(at::kCPU, at::kDouble), {}};
    for (const auto& [name, value] : pass.out.losses) {
      total = total + value;
      result.routing_loss += value.item<double>();
    }
    total.backward();
    result.gradient = parameters_.flat_gradient().to(at::kCPU, at::kDouble);
    return result;
  }

 private:
  at::Device device_;
  bool bf16_;
  Parameters parameters_;
  Model model_;
  Routes routes_;
  std::shared_ptr<const FusedWeights> fused_;
};

Batch some_batch(uint64_t key = 5) {
  Random random(key);
  const Tensor text = at::empty({batch, 97}, at::kLong);
  for (int64_t i = 0; i < text.numel(); ++i)
    text.view({-1})[i] = static_cast<int64_t>(random.below(static_cast<uint64_t>(vocabulary)));
  Batch out{text.narrow(1, 0, 96).contiguous(), text.narrow(1, 1, 96).clone()};
  out.targets[0].narrow(0, 3, 5).fill_(-1);
  return out;
}

const std::string bilinear = "router = { type = \"bilinear\", rank = 32 }\n";
std::string soft(const std::string& apply, const std::string& more = "") {
  return bilinear + "selection = { type = \"soft\" }\napply = \"" + apply + "\"\n" + more;
}
std::string top(int64_t k, const std::string& weight, const std::string& more = "",
                const std::string& apply = "log_bias", const std::string& rest = "") {
  return bilinear +
         fmt::format("selection = {{ type = \"top_k\", k = {}, weight = \"{}\"{} }}\napply = \"{}\"\n", k, weight, more,
                     apply) +
         rest;
}
const std::string straight = ", gradient = \"straight_through\"", frozen = "frozen = true\n";
const std::string linear_top =
    "router = { type = \"linear\" }\nselection = { type = \"top_k\", k = 2, weight = \"softmax\" }\n"
    "losses = { load_balance = 0.01 }\n";

// Scores that no rounding moves.
std::string hashed(const std::string& weight) {
  return fmt::format(
      "router = {{ type = \"hash\" }}\nselection = {{ type = \"top_k\", k = 2, weight = \"{}\" }}\n"
      "losses = {{ load_balance = 0.01 }}\n",
      weight);
}

std::vector<Arm> arms() {
  const std::string any = soft("log_bias");
  return {
      {"Dense", "dense", any, any},
      {"DenseDropout", "dense", any, any, 0.1},
      {"DenseHeads32", "dense", any, any, 0, 4},
      {"DenseHeads128", "dense", any, any, 0, 1},
      {"SoftLogBias", "attention", soft("log_bias"), any},
      {"SoftScaleLogits", "attention", soft("scale_logits"), any},
      {"SoftPostSoftmax", "attention", soft("post_softmax"), any},
      {"SoftPenalty", "attention", soft("scale_logits", "losses = { sparsity = 1.0 }\n"), any},
      {"SoftDropout", "attention", soft("log_bias"), any, 0.1},
      {"SoftRank4", "attention", "router = { type = \"bilinear\", rank = 4 }\nselection = { type = \"soft\" }\n", any},
      {"SoftCosine", "attention", "router = { type = \"cosine\", rank = 16 }\nselection = { type = \"soft\" }\n", any},
      {"SoftLinear", "attention", "router = { type = \"linear\" }\nselection = { type = \"soft\" }\n", any},
      {"Detached", "attention", soft("log_bias", "detach_input = true\n"), any},
      {"Hard", "attention", top(16, "sigmoid"), any, 0, 2, flips},
      {"HardOne", "attention", top(16, "one"), any, 0, 2, flips},
      {"HardNone", "attention", top(16, "sigmoid", ", gradient = \"none\""), any, 0, 2, flips},
      {"StraightThrough", "attention", top(16, "sigmoid", ", gradient = \"straight_through\""), any, 0, 2, flips},
      {"Redrawn", "attention", top(16, "sigmoid", straight, "log_bias", frozen + "choose = { redraw_every = 1 }\n"),
       any, 0, 2, flips},
      {"RedrawnOne", "attention", top(16, "one", straight, "log_bias", frozen + "choose = { redraw_every = 3 }\n"), any,
       0, 2, flips},
      {"Lagging", "attention", top(16, "sigmoid", straight, "log_bias", "choose = { lag = 2 }\n"), any, 0, 2, flips},
      {"StraightThroughMask", "attention", top(16, "one", straight), any, 0, 2, flips},
      {"MoeRedrawn", "moe", any, top(2, "sigmoid", straight, "log_bias", frozen + "choose = { redraw_every = 1 }\n"), 0,
       2, flips},
      {"MoeLagging", "moe", any, top(2, "sigmoid", straight, "log_bias", "choose = { lag = 2 }\n"), 0, 2, flips},
      {"MoeWeighed", "moe", any, top(2, "softmax_kept", straight, "log_bias", "weigh = { type = \"linear\" }\n"), 0, 2,
       flips},
      {"MoeTop2", "moe", any, linear_top, 0, 2, flips},
      {"MoeTop2Dropout", "moe", any, linear_top, 0.1, 2, flips},
      {"MoeTop2Sigmoid", "moe", any, top(2, "sigmoid"), 0, 2, flips},
      {"MoeHash", "moe", any, hashed("softmax_kept")},
      {"MoeHashDropout", "moe", any, hashed("softmax"), 0.1},
      {"MoeHashMean", "moe", any, hashed("mean")},
      {"MoeWithoutKernels", "moe", any, hashed("softmax_kept"), 0, 2, 2, 100, true},
      {"MoeSoft", "moe", any, bilinear + "selection = { type = \"soft\" }\n"},
      {"MoeSoftDropout", "moe", any, bilinear + "selection = { type = \"soft\" }\n", 0.1},
      {"MoeLossFree", "moe", any, bilinear + "selection = { type = \"loss_free\", k = 2 }\n", 0, 2, flips},
      {"Both", "both", soft("log_bias"), linear_top, 0.1, 2, flips},
  };
}

class FusedGpu : public ::testing::TestWithParam<Arm> {
 protected:
  void SetUp() override {
    if (!at::globalContext().hasCUDA()) GTEST_SKIP() << "no GPU";
  }
};

double relative(const Tensor& x, const Tensor& truth) {
  return ((x - truth).norm() / truth.norm().clamp_min(1e-12)).item<double>();
}

TEST_P(FusedGpu, LosesAtMostTwiceWhatTheBf16CompositionLoses) {
  const Arm& arm = GetParam();
  const Batch data = some_batch();
  const auto truth = Built(arm, at::kCPU, at::kDouble, false, false).run(data);
  const Built composed(arm, at::kCUDA, at::kFloat, true, false), kernels(arm, at::kCUDA, at::kFloat, true, true);
  const auto definition = composed.run(data), fused = kernels.run(data);
  const double loss_composed = (definition.losses - truth.losses).square().mean().sqrt().item<double>();
  const double loss_fused = (fused.losses - truth.losses).square().mean().sqrt().item<double>();
  EXPECT_LE(loss_fused, arm.slack * loss_composed + 1e-3) << "nats a token, rms";
  EXPECT_NEAR(fused.routing_loss, truth.routing_loss,
              2e-3 + 2 * std::abs(definition.routing_loss - truth.routing_loss));
  double worst = 0;
  kernels.parameters().each_slice([&](const Slice& slice, int64_t begin, int64_t end) {
    const auto part = [&](const Tensor& flat) { return flat.narrow(0, begin, end - begin); };
    if (part(truth.gradient).norm().item<double>() == 0) {
      EXPECT_EQ(part(fused.gradient).norm().item<double>(), 0) << slice.name << ": nothing should flow";
      return;
    }
    const double composed_error = relative(part(definition.gradient), part(truth.gradient));
    const double error = relative(part(fused.gradient), part(truth.gradient));
    worst = std::max(worst, error);
    EXPECT_LE(error, arm.slack * composed_error + 1e-3) << slice.name << ": composition " << composed_error;
  });
  RecordProperty("loss", fmt::format("{:.2e} {:.2e}", loss_fused, loss_composed));
  fmt::print("{:<16} loss {:.2e} (composition {:.2e}), worst gradient {:.2e}\n", arm.name, loss_fused, loss_composed,
             worst);
}

TEST_P(FusedGpu, GivesTheSameBitsTwice) {
  const Built kernels(GetParam(), at::kCUDA, at::kFloat, true, true);
  const auto once = kernels.run(some_batch()), again = kernels.run(some_batch());
  EXPECT_TRUE(at::equal(once.losses, again.losses));
  EXPECT_TRUE(at::equal(once.gradient, again.gradient));
}

TEST_P(FusedGpu, GradientsFormedWithTheLossesAreThoseOfTheBackwardPass) {
  const Built kernels(GetParam(), at::kCUDA, at::kFloat, true, true);
  const auto early = kernels.run(some_batch()), late = kernels.run(some_batch(), /*early=*/false);
  EXPECT_LT(relative(early.losses, late.losses), 1e-4);
  EXPECT_LT(relative(early.gradient, late.gradient), 2e-2);  // both round softmax - onehot and its products
}

// Eight steps, with an account at every one (an ordinary step) or none (captured after three).
Tensor trained(const Arm& arm, bool captured, uint64_t pieces = 1) {
  const StreamScope stream(at::kCUDA);
  const Built run(arm, at::kCUDA, at::kFloat, true, true);
  TrainingSettings settings;
  settings.accounts_every = captured ? 1000 : 1;
  settings.warmup = 2;
  settings.clip = 0.5;
  Trainer trainer(run.parameters(), run.losses(), settings, 1, run.fused());
  Tensor loss;
  for (uint64_t step = 0; step < 8; ++step) {
    std::vector<Batch> data;
    for (uint64_t piece = 0; piece < pieces; ++piece) data.push_back(some_batch(step * pieces + piece));
    loss = trainer.step(data).loss;
  }
  EXPECT_EQ(trainer.captured(), captured && !arm.waits) << arm.name;
  return at::cat({run.parameters().flat().detach().to(at::kCPU), loss.to(at::kCPU).view({1})});
}

TEST_P(FusedGpu, TrainsToTheSameBitsCapturedOrNot) {
  EXPECT_TRUE(at::equal(trained(GetParam(), true), trained(GetParam(), false)));
}

TEST_P(FusedGpu, TrainsInPiecesToTheSameBitsCapturedOrNot) {
  EXPECT_TRUE(at::equal(trained(GetParam(), true, 2), trained(GetParam(), false, 2)));
}

TEST_P(FusedGpu, WaitsForNothingInAHundredSteadySteps) {
  if (GetParam().waits) GTEST_SKIP() << "it says that it waits";
  const StreamScope stream(at::kCUDA);
  const Built run(GetParam(), at::kCUDA, at::kFloat, true, true);
  TrainingSettings settings;
  settings.accounts_every = 1000;
  Trainer trainer(run.parameters(), run.losses(), settings, 1, run.fused());
  const Batch data = some_batch();
  for (int step = 0; step < 8; ++step) trainer.step({&data, 1});
  forbid_synchronisation(true);
  EXPECT_NO_THROW({
    for (int step = 0; step < 100; ++step) trainer.step({&data, 1});
  });
  forbid_synchronisation(false);
}

INSTANTIATE_TEST_SUITE_P(Arms, FusedGpu, ::testing::ValuesIn(arms()), [](const auto& arm) { return arm.param.name; });

}  // namespace
}  // namespace absorb
