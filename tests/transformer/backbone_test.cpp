// The parts that backbones are made of, each against its formula and against central differences.
#include "core/error.h"
#include "tensors/rms_norm.h"
#include "tests/routing_fixture.h"
#include "transformer/cost.h"
#include "transformer/model.h"

namespace absorb {
namespace {

using namespace testing;

ModelSettings model_of(const std::string& toml) {
  const std::string sizes = "layers = 2\nwidth = 16\nheads = 4\ncontext = 12\n";
  return read_settings<ModelSettings>(Settings::from_text(sizes + toml, "test"));
}

constexpr const char* qwen = R"(
norm = "rms"
norm_eps = 1e-6
position = "rope"
activation = "swiglu"
biases = false
tied = false
feed_forward = 24
attention = { kv_heads = 2, head_dim = 6, qk_norm = "head" }
)";
constexpr const char* olmo = R"(
norm = "rms"
norm_at = "after"
position = "rope"
rope = { theta = 500.0, scaling = "llama3", factor = 4.0, original_context = 16 }
activation = "swiglu"
biases = false
logit_scale = 0.5
attention = { qk_norm = "full", biases = "qkvo" }
)";
constexpr const char* olmoe = R"(
norm = "rms"
position = "rope"
activation = "swiglu"
attention = { kv_heads = 2, biases = "qkv" }
moe = { experts = 4, hidden = 12, activation = "swiglu", biases = false, shared = 10, layers = [1] }
)";

struct Built {
  Parameters parameters;
  Model model;
  Routes routes;
  Built(const std::string& toml, const std::string& target, at::ScalarType type = at::kDouble)
      : parameters(3, type),
        model(model_of(toml), 20, target_named(target).moe, parameters),
        routes(make_routes(model, target_named(target), routing(gate), routing(experts), parameters)) {
    parameters.gather(at::kCPU);
    const at::NoGradGuard no_grad;  // norms and biases away from where they begin, where some derivatives are 0
    parameters.flat().add_(gauss({stream_key(11, "moved"), {}}, parameters.flat().sizes(), at::kCPU).to(type) * 0.1);
  }
  Tensor loss(const Tensor& text) const {
    Pass pass;
    return model.losses(text.narrow(1, 0, 7), text.narrow(1, 1, 7), routes, pass).mean();
  }
  static constexpr const char* gate = "router = { type = \"bilinear\", rank = 4 }\nselection.type = \"soft\"";
  static constexpr const char* experts =
      "router.type = \"linear\"\nselection = { type = \"top_k\", k = 2, weight = \"softmax_kept\" }";
};

Tensor some_text() {
  return at::arange(16).mul(7).add(3).remainder(20).view({2, 8});
}

TEST(TransformerBackbone, GradientsAreThoseOfCentralDifferences) {
  for (const auto& [toml, target] : {std::pair{qwen, "attention"}, {olmo, "attention"}, {olmoe, "moe"}}) {
    const Built built(toml, target);
    const Tensor text = some_text();
    for (const Stored& stored : built.parameters.stored())
      EXPECT_LT(gradient_error([&] { return built.loss(text); }, stored.leaf), 1e-6) << stored.name;
  }
}

TEST(TransformerBackbone, StatedCostsAreWhatIsThere) {
  for (const auto& [toml, target] :
       {std::pair{qwen, "attention"}, {olmo, "dense"}, {olmoe, "moe"}, {olmoe, "both"}, {qwen, "moe"}}) {
    const Built built(toml, target);
    const ModelCost cost = model_cost(model_of(toml), 20, target_named(target).moe, built.routes);
    EXPECT_EQ(cost.whole().parameters, built.parameters.counts().unique) << toml << target;
  }
}

TEST(TransformerBackbone, NoLossFeelsALaterToken) {
  for (const auto& [toml, target] : {std::pair{qwen, "attention"}, {olmo, "dense"}, {olmoe, "both"}}) {
    const Built built(toml, target);
    const auto losses = [&](const Tensor& text) {
      Pass pass;
      return built.model.losses(text.narrow(1, 0, 7), text.narrow(1, 1, 7), built.routes, pass);
    };
    Tensor text = some_text();
    const Tensor before = losses(text);
    text.select(1, 6).add_(1).remainder_(20);  // target of item 5, input of item 6
    const Tensor after = losses(text);
    EXPECT_TRUE(at::equal(before.narrow(1, 0, 5), after.narrow(1, 0, 5)));
    EXPECT_FALSE(at::equal(before.narrow(1, 6, 1), after.narrow(1, 6, 1)));
  }
}

TEST(TransformerBackbone, LogitsAreWhatLossesAreOf) {
  const Built built(olmo, "dense");
  const Tensor text = some_text();
  Pass pass;
  const Tensor logits = built.model.logits(text.narrow(1, 0, 7), built.routes, pass);
  const Tensor nats = at::cross_entropy_loss(logits.reshape({14, 20}), text.narrow(1, 1, 7).reshape({14}));
  EXPECT_NEAR(nats.item<double>(), built.loss(text).item<double>(), 1e-12);
}

// The mean of logsumexp^2 over tokens with a target, in training alone.
TEST(TransformerBackbone, TheHeadsZLossIsOfTraining) {
  const Built built(std::string(qwen) + "z_loss = 0.5\n", "dense");
  const Tensor text = some_text(), tokens = text.narrow(1, 0, 7), targets = text.narrow(1, 1, 7).clone();
  targets[0].narrow(0, 0, 3).fill_(-1);
  Pass looking, training{.in = {.training = true}};
  const Tensor sums = built.model.logits(tokens, built.routes, looking).logsumexp(-1).square();
  built.model.losses(tokens, targets, built.routes, looking);
  EXPECT_TRUE(looking.out.losses.empty());
  built.model.losses(tokens, targets, built.routes, training);
  ASSERT_EQ(training.out.losses.count("head_z"), 1U);
  const double expected = 0.5 * (sums.sum() - sums[0].narrow(0, 0, 3).sum()).item<double>() / 11;
  EXPECT_NEAR(training.out.losses.at("head_z").item<double>(), expected, 1e-12);
}

// What positions do depends on how far apart two are alone, and by the formula for one pair of numbers.
TEST(AttentionRope, TurnsHalvesByAnglesThatOnlyDistanceSees) {
  const RopeSettings plain;
  const Rotation rotation = rotation_of(plain, 9, 4, at::kCPU, at::kDouble);
  const Tensor q = features({1, 1, 1, 4}, "q").expand({1, 1, 9, 4}), k = features({1, 1, 1, 4}, "k").expand_as(q);
  const Tensor scores = at::matmul(rotated(q, rotation), rotated(k, rotation).transpose(-2, -1))[0][0];
  for (int64_t distance = 0; distance < 5; ++distance)
    EXPECT_NEAR(scores[4][4 - distance].item<double>(), scores[8][8 - distance].item<double>(), 1e-12);
  const double angle = 3 * std::pow(10000.0, -2.0 / 4), x = q[0][0][0][1].item<double>(),
               y = q[0][0][0][3].item<double>();
  const Tensor third = rotated(q, rotation)[0][0][3];
  EXPECT_NEAR(third[1].item<double>(), x * std::cos(angle) - y * std::sin(angle), 1e-12);
  EXPECT_NEAR(third[3].item<double>(), y * std::cos(angle) + x * std::sin(angle), 1e-12);
}

// Llama 3.2's own numbers: factor 32, low 1, high 4, context 8192, base 500000, heads of 64.
TEST(AttentionRope, StretchesLongWavesAsLlama3Does) {
  const RopeSettings llama{500000, "llama3", 32, 1, 4, 8192};
  const Tensor now = rope_frequencies(llama, 64, at::kCPU), before = rope_frequencies({500000}, 64, at::kCPU);
  const auto ratio = [&](int64_t i) { return before[i].item<double>() / now[i].item<double>(); };
  EXPECT_EQ(ratio(0), 1);
  EXPECT_NEAR(ratio(31), 32, 1e-9);
  const double f = before[16].item<double>(), waves = 8192 * f / (2 * M_PI), smooth = (waves - 1) / 3;
  ASSERT_TRUE(smooth > 0 && smooth < 1) << smooth;
  EXPECT_NEAR(now[16].item<double>(), (1 - smooth) * f / 32 + smooth * f, 1e-15);
}

TEST(TransformerBackbone, ContradictionsAreOneLine) {
  const auto fault = [](const std::string& toml) {
    try {
      require_sense(model_of(toml));
    } catch (const UserError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_NE(fault("attention.kv_heads = 3\n").find("model.heads = 4 is not divisible by model.attention.kv_heads = 3"),
            std::string::npos);
  EXPECT_NE(fault("position = \"rope\"\nattention.head_dim = 5\n").find("a head of 5 is odd"), std::string::npos);
  EXPECT_NE(fault("moe.layers = [0, 2]\n").find("names layer 2, and the last of 2 is 1"), std::string::npos);
  EXPECT_NE(fault("rope = { low = 4.0, high = 4.0 }\n").find("must lie below"), std::string::npos);
  EXPECT_EQ(fault(qwen), "");
}

}  // namespace
}  // namespace absorb
