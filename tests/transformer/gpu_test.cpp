// The GPU runs the same compositions: random bits are equal, losses and gradients agree to single precision.
#include "core/device.h"
#include "tests/routing_fixture.h"
#include "transformer/model.h"

namespace absorb {
namespace {

using namespace testing;

class TransformerGpu : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const std::string reason = why_no_cuda(); !reason.empty()) GTEST_SKIP() << reason;
    configure_torch(1, /*tf32=*/false);
  }
};

TEST_F(TransformerGpu, RandomBitsAreTheCpus) {
  const at::Device gpu(at::kCUDA, 0);
  for (const int64_t n : {1, 7, 1 << 20}) {
    const RandomKey cpu{stream_key(1, "bits"), at::full({}, 5, at::kLong)}, cuda{cpu.key, cpu.step.to(gpu)};
    EXPECT_TRUE(at::equal(uniform(cpu, {n}, at::kCPU), uniform(cuda, {n}, gpu).cpu())) << n;
    EXPECT_TRUE(at::equal(gauss(cpu, {n}, at::kCPU), gauss(cuda, {n}, gpu).cpu())) << n;
    EXPECT_TRUE(at::equal(dropout_mask(cpu, 0.1, {n}, at::kCPU), dropout_mask(cuda, 0.1, {n}, gpu).cpu())) << n;
  }
}

TEST_F(TransformerGpu, LossesAndGradientsAgreeWithTheCpus) {
  ModelSettings settings;
  settings.width = 64;
  settings.context = 32;
  settings.dropout = 0.1;
  for (const std::string selection :
       {"selection.type = \"soft\"", "selection = { type = \"top_k\", k = 2, weight = \"sigmoid\" }"}) {
    std::vector<Tensor> losses, gradients;
    for (const at::Device device : {at::Device(at::kCPU), at::Device(at::kCUDA, 0)}) {
      const Parameters parameters(1);
      const Model model(settings, 50, true, parameters);
      const RoutingSettings routed = routing("router = { type = \"bilinear\", rank = 8 }\n" + selection);
      const Routes routes = make_routes(model, target_named("both"), routed, routed, parameters);
      parameters.gather(device);
      const Tensor tokens = (uniform({stream_key(1, "tokens"), {}}, {4, 33}, at::kCPU) * 50).to(at::kLong).to(device);
      Pass pass{.in = {.training = true,
                       .seed = 3,
                       .step = at::full({}, 2, at::TensorOptions().dtype(at::kLong).device(device))}};
      const Tensor loss = model.losses(tokens.narrow(1, 0, 32), tokens.narrow(1, 1, 32), routes, pass);
      loss.mean().backward();
      losses.push_back(loss.detach().cpu());
      gradients.push_back(parameters.flat_gradient().cpu());
    }
    EXPECT_TRUE(at::allclose(losses[0], losses[1], 1e-4, 1e-4)) << selection;
    EXPECT_LT((gradients[0] - gradients[1]).norm().item<double>(), 1e-3 * gradients[0].norm().item<double>())
        << selection;
  }
}

}  // namespace
}  // namespace absorb
