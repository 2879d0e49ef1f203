// Every registered type conforms; types broken on purpose are caught, each by the check that is for it and no other.
#include "router/conformance/conformance.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include "core/error.h"
#include "tests/router/conformance_fixture.h"

namespace absorb {
namespace {

void expect_conforming(const std::string& kind, const std::vector<std::string>& names) {
  std::set<std::string> checked;
  for (const Check& check : conform(registries(), names, at::kCPU)) {
    EXPECT_TRUE(check.passed) << check.kind << ' ' << check.type << ' ' << to_string(check);
    if (check.kind == kind) checked.insert(check.type);
  }
  EXPECT_EQ(checked.size(), names.size());
}

TEST(ConformanceRouters, EveryRegisteredOnePasses) {
  expect_conforming("router", registries().routers.names());
}
TEST(ConformanceSelections, EveryRegisteredOnePasses) {
  expect_conforming("selection", registries().selections.names());
}
TEST(ConformanceLosses, EveryRegisteredOnePasses) {
  expect_conforming("loss", registries().losses.names());
}

enum class Fault { none, leaks, peeks, detaches, counts, throws, draws, fixed, wide, understates };

// W x with W = A + B in either role, and one fault.
class FaultyRouter final : public Router {
 public:
  FaultyRouter(Fault fault, const RoutingTask& task, const Parameters& parameters) : fault_(fault), task_(task) {
    if (fault == Fault::throws && !task.attention()) throw std::runtime_error("no form for experts yet");
    const double share = fault == Fault::wide ? 2 : fault == Fault::fixed ? 1 : std::sqrt(0.5);
    const double spread = share * task.score_sd;
    const Init init = fault == Fault::fixed ? Init::ones() : Init::normal(task.init_std(task.width, spread));
    const int64_t rows = task.attention() ? task.groups : task.choices;
    a_ = parameters.add("a", {rows, task.width}, Init::normal(task.init_std(task.width, spread)), task.component);
    b_ = parameters.add("b", {rows, task.width}, init, task.component);
  }

  Scores score(const RouterInput& input, const Pass& pass) const override {
    Scores scores = sized_scores(task_, input);
    Tensor x = task_.attention() ? input.choices : input.items;
    if (fault_ == Fault::peeks) x = at::roll(x, -1, 1);  // of the next position
    const Tensor w = fault_ == Fault::fixed ? a_ : a_ + (fault_ == Fault::detaches ? b_.detach() : b_);
    Tensor y = at::linear(x, w) + 0.01 * steps_;
    if (fault_ == Fault::leaks) y = y + 0.1 * at::linear(x.mean(1, true), w);
    if (fault_ == Fault::draws) y = y + 0.1 * gauss(pass.random("fault", "site"), y.sizes(), y.device());
    scores.dense = task_.attention() ? y.transpose(1, 2).unsqueeze(2) : y.unsqueeze(1);
    return scores;
  }

  Cost cost(const RoutingTask& task) const override {
    const Cost one = product_cost(task.width, task.attention() ? task.groups : task.choices);
    return times(one, fault_ == Fault::understates ? 1 : 2);
  }

  bool has_state() const override { return fault_ == Fault::counts; }
  void after_step(std::span<const Routed>) const override { ++steps_; }

 private:
  Fault fault_;
  RoutingTask task_;
  Tensor a_, b_;  // [G,D] or [E,D]
  mutable double steps_ = 0;
};

Failures router_failures(Fault fault, Router::Traits traits = {}) {
  Registries broken;
  broken.routers.add<NoSettings>(
      "faulty", "",
      [fault](const NoSettings&, const RoutingTask& task, Parameters parameters) {
        return std::make_shared<FaultyRouter>(fault, task, parameters);
      },
      traits);
  return failures(broken, {"faulty"});
}

TEST(ConformanceCatches, NothingInARouterWithoutFault) {
  EXPECT_EQ(router_failures(Fault::none), Failures{});
}

TEST(ConformanceCatches, ARouterThatLeaksTheFuture) {
  for (const Fault fault : {Fault::leaks, Fault::peeks})
    EXPECT_EQ(router_failures(fault), (Failures{"attention future", "moe future"}));
}

TEST(ConformanceCatches, ARouterThatStatesFewerParametersThanItAdds) {
  EXPECT_EQ(router_failures(Fault::understates),
            (Failures{"attention parameters as stated", "moe parameters as stated"}));
}

TEST(ConformanceCatches, ARouterThatForgetsAGradient) {
  EXPECT_EQ(router_failures(Fault::detaches),
            (Failures{"attention gradient to parameters", "moe gradient to parameters"}));
}

TEST(ConformanceCatches, AParameterThatNothingDependsOn) {
  EXPECT_EQ(router_failures(Fault::fixed), (Failures{"attention parameters matter", "moe parameters matter"}));
}

TEST(ConformanceCatches, ARouterThatKeepsAStateToItself) {
  EXPECT_EQ(router_failures(Fault::counts), (Failures{"attention state saved", "moe state saved"}));
}

TEST(ConformanceCatches, ARouterThatDrawsWithoutSayingSo) {
  EXPECT_EQ(router_failures(Fault::draws), (Failures{"attention step", "moe step"}));
}

TEST(ConformanceCatches, ARouterThatStartsTooWide) {
  EXPECT_EQ(router_failures(Fault::wide), (Failures{"attention score spread", "moe score spread"}));
}

TEST(ConformanceCatches, WrongClaims) {
  EXPECT_EQ(router_failures(Fault::throws), Failures{"moe claim"});
  EXPECT_EQ(router_failures(Fault::none, {.moe = false}), Failures{"moe claim"});
  EXPECT_EQ(router_failures(Fault::none, {.reads_input = false}),
            (Failures{"attention gradient to input", "moe gradient to input"}));
  EXPECT_EQ(router_failures(Fault::none, {.learns = false}),
            (Failures{"attention gradient to parameters", "moe gradient to parameters"}));
  EXPECT_EQ(router_failures(Fault::none, {.native = true, .gains = true}), (Failures{"attention needs", "moe needs"}));
  EXPECT_EQ(router_failures(Fault::none, {.draws = true}), (Failures{"attention step", "moe step"}));
  EXPECT_EQ(router_failures(Fault::none, {.tokens = true}),
            (Failures{"attention needs tokens", "attention tokens", "moe needs tokens", "moe tokens"}));
}

// Mean squared score: with an infinite derivative where scores are 0, or a derivative that is forgotten.
class FaultyLoss final : public RoutingLoss {
 public:
  explicit FaultyLoss(bool root) : root_(root) {}
  Tensor loss(const Routing& routing, const RouterInput&, const RoutingTask&) const override {
    const Tensor square = dense(routing.scores).square();
    return root_ ? square.mean(-1).sqrt().mean() : square.mean() + square.detach().mean();
  }

 private:
  bool root_;
};

TEST(ConformanceCatches, LossesWithWrongDerivatives) {
  for (const bool root : {true, false}) {
    Registries broken;
    broken.losses.add<LossSettings>(
        "faulty", "", [root](const LossSettings&, const RoutingTask&) { return std::make_shared<FaultyLoss>(root); });
    const std::string name = root ? "finite at ties" : "gradient";
    EXPECT_EQ(failures(broken, {"faulty"}), (Failures{"attention " + name, "moe " + name}));
  }
}

// A setting whose list writes another value than it read.
struct ForgetfulSettings {
  int64_t size = 4;
};
void fields(Fields& list, ForgetfulSettings& settings) {
  list.field("size", settings.size, {1, 64}, "Is halved.");
  settings.size = settings.size > 4 ? settings.size / 2 : settings.size;
}

TEST(ConformanceCatches, SettingsThatChangeOnTheWay) {
  Registries broken;
  broken.losses.add<ForgetfulSettings>(
      "faulty", "", [](const ForgetfulSettings&, const RoutingTask&) { return std::make_shared<FaultyLoss>(false); });
  EXPECT_TRUE(failures(broken, {"faulty"}).contains(" settings round trip"));
}

TEST(Conformance, NamesWhatItKnowsWhenANameIsUnknown) {
  try {
    conform(registries(), {"bilinaer"}, at::kCPU);
    FAIL();
  } catch (const UserError& error) {
    const std::string message = error.what();
    EXPECT_NE(message.find("did you mean \"bilinear\""), std::string::npos) << message;
    EXPECT_NE(message.find("top_k"), std::string::npos) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  }
}

TEST(Conformance, SaysWhereItFailed) {
  Registries broken;
  broken.routers.add<NoSettings>("faulty", "", [](const NoSettings&, const RoutingTask& task, Parameters parameters) {
    return std::make_shared<FaultyRouter>(Fault::throws, task, parameters);
  });
  for (const Check& check : conform(broken, {}, at::kCPU)) {
    if (check.passed) continue;
    EXPECT_NE(to_string(check).find("FAILED"), std::string::npos);
    EXPECT_NE(check.note.find("no form for experts yet"), std::string::npos) << check.note;
  }
}

}  // namespace
}  // namespace absorb
