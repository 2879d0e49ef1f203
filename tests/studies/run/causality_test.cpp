// Runs whose routing knows the future don't start, unless they are allowed to.
#include "studies/run/causality.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include <filesystem>

#include "core/error.h"
#include "core/files.h"
#include "studies/plan/plan.h"

namespace absorb {
namespace {

// W x with W as a linear router has it, of the next item.
class NextToken final : public Router {
 public:
  NextToken(const RoutingTask& task, const Parameters& parameters) : task_(task) {
    weight_ = parameters.add("weight", {task.choices, task.width}, Init::normal(task.init_std(task.width, 1)),
                             task.component);
  }
  Scores score(const RouterInput& input, const Pass&) const override {
    Scores scores = sized_scores(task_, input);
    scores.dense = at::linear(at::roll(input.items, -1, 1), weight_).unsqueeze(1);
    return scores;
  }
  Cost cost(const RoutingTask& task) const override { return product_cost(task.width, task.choices); }

 private:
  RoutingTask task_;
  Tensor weight_;
};

// Every expert keeps its best half of a sequence, in training alone.
class ExpertChoice final : public Selection {
 public:
  Routing select(Scores scores, const RoutingTask& task, const Pass& pass) const override {
    const Tensor values = dense(detached(scores));
    const int64_t half = values.size(2) / 2;
    const Tensor least = std::get<0>(values.topk(half, 2)).narrow(2, half - 1, 1);
    const Tensor mask = pass.in.training ? values >= least : values >= 0;
    return {std::move(scores), KeepMask{mask}, Weight::sigmoid, Gradient::weights, task.visible};
  }
  SelectionCost cost(const RoutingTask& task) const override { return cost_of_all(task); }
};

// Planted in the registries that study files are read with, for one test.
class Causality : public testing::Test {
 protected:
  void SetUp() override {
    registries().routers.add<NoSettings>("next_token", "",
                                         [](const NoSettings&, const RoutingTask& task, Parameters parameters) {
                                           return std::make_shared<NextToken>(task, parameters);
                                         },
                                         {.attention = false});
    registries().selections.add<NoSettings>("expert_choice", "", [](const NoSettings&, const RoutingTask&, Parameters) {
      return std::make_shared<ExpertChoice>();
    });
  }
  void TearDown() override { registries() = before_; }

  static RunSettings run(const std::string& target, const std::string& routing, const std::string& model = "") {
    const std::string text = "data.type = \"recall\"\n[model]\nlayers = 3\nwidth = 32\nheads = 2\ncontext = 128\n" +
                             model + "[routing]\n" + routing;
    return read_run_settings(Settings::from_text(text, "test"), target, 1);
  }
  static std::string complaint(const RunSettings& settings) {
    try {
      require_causal(settings);
      return "";
    } catch (const UserError& error) {
      return error.what();
    }
  }

 private:
  Registries before_ = registries();
};

constexpr const char* expert_choice = "router.type = \"linear\"\nselection.type = \"expert_choice\"\n";
constexpr const char* next_token = "router.type = \"next_token\"\nselection = { type = \"top_k\", k = 2 }\n";
constexpr const char* late =
    "router.type = \"bilinear\"\nselection = { type = \"top_k\", k = 4, order = \"causal_late\", self = false }\n";

TEST_F(Causality, ARouterOfTheNextTokenIsCaught) {
  const std::string found = complaint(run("moe", next_token));
  EXPECT_NE(found.find("blocks.0.experts: later tokens change"), std::string::npos) << found;
  EXPECT_NE(found.find("routing.moe.allow_noncausal"), std::string::npos) << found;
  EXPECT_EQ(found.find('\n'), std::string::npos) << found;
  EXPECT_EQ(complaint(run("moe", std::string("allow_noncausal = true\n") + next_token)), "");
}

TEST_F(Causality, TokensThatCompeteAreCaughtInTraining) {
  const std::string found = complaint(run("moe", expert_choice));
  EXPECT_NE(found.find("blocks.0.experts: later tokens change how earlier ones are routed in training"),
            std::string::npos)
      << found;
}

TEST_F(Causality, TopKBeforeTheMaskIsCaughtAndSaysSo) {
  const RunSettings settings = run("attention", late);
  EXPECT_NE(complaint(settings).find("blocks.0.attention"), std::string::npos) << complaint(settings);
  const auto routes = counted_routes(settings, 64);
  EXPECT_FALSE(routes.at.at("blocks.0.attention")->causal());
}

// One kind may be allowed what the other isn't, and is not blamed for it.
TEST_F(Causality, EachKindIsHeldToItsOwn) {
  const std::string moe = "moe.router.type = \"linear\"\nmoe.selection = { type = \"top_k\", k = 2 }\n";
  const std::string attention =
      "attention.router.type = \"bilinear\"\nattention.allow_noncausal = true\nattention.selection = { type = "
      "\"top_k\", k = 4, order = \"causal_late\", self = false }\n";
  EXPECT_EQ(complaint(run("both", attention + moe)), "");
}

TEST_F(Causality, EveryCausalRouterPasses) {
  for (const std::string& router : registries().routers.names()) {
    const Router::Traits& traits = registries().routers.traits(router);
    const std::string more = router == "redrawn" ? "" : "noise = 0.1\nshuffled = true\n";
    const std::string text = more + "router.type = \"" + router + "\"\nselection = { type = \"top_k\", k = 3 }\n";
    if (traits.attention) EXPECT_EQ(complaint(run("attention", text, "dropout = 0.1\n")), "") << text;
    if (!traits.gains && router != "next_token") EXPECT_EQ(complaint(run("moe", text, "dropout = 0.1\n")), "") << text;
  }
}

TEST_F(Causality, EveryCausalSelectionPasses) {
  const std::string router = "router.type = \"bilinear\"\n";
  for (const std::string& selection : registries().selections.names()) {
    const Selection::Traits& traits = registries().selections.traits(selection);
    const std::string text = router + "selection.type = \"" + selection + "\"\n";
    if (selection == "expert_choice") continue;
    if (traits.attention) EXPECT_EQ(complaint(run("attention", text)), "") << text;
    if (traits.moe) EXPECT_EQ(complaint(run("moe", text)), "") << text;
  }
  // A budget that takes a longer context than the least.
  EXPECT_EQ(complaint(run("attention", router + "selection = { type = \"top_k\", k = 40 }\n")), "");
  const std::string order = "selection = { type = \"top_k\", k = 40, order = \"causal_late\" }\n";
  EXPECT_NE(complaint(run("attention", router + order)), "");
}

TEST_F(Causality, WhatSaysThatItIsNotIsRefusedBeforeAnythingRuns) {
  const Path folder = Path(testing::TempDir()) / "absorb_causality";
  std::filesystem::create_directories(folder);
  const auto complaint_of = [&folder](const std::string& more) -> std::string {
    write_file(folder / "study.toml",
               "[study]\nname = \"s\"\nquestion = \"?\"\ntargets = [\"attention\"]\nseeds = [1]\n"
               "[data]\ntype = \"recall\"\n[model]\nlayers = 1\nwidth = 32\nheads = 2\ncontext = 64\n"
               "[routing]\nrouter.type = \"bilinear\"\nselection = { type = \"top_k\", k = 4 }\n"
               "[[arm]]\nname = \"learned\"\n" +
                   more);
    try {
      refuse_noncausal(plan_runs(read_study(folder / "study.toml"), folder));
      return "";
    } catch (const UserError& error) {
      return error.what();
    }
  };
  const std::string order = "routing.attention.selection.order = \"causal_late\"\n";
  EXPECT_EQ(complaint_of(""), "");
  EXPECT_NE(complaint_of(order).find("learned.attention/seed-1: blocks.0.attention: "), std::string::npos)
      << complaint_of(order);
  EXPECT_EQ(complaint_of(order + "routing.allow_noncausal = true\n"), "");
  const std::string deployment = "[[deployment]]\nname = \"late\"\n" + order;
  EXPECT_NE(complaint_of(deployment).find("deployment \"late\": blocks.0.attention"), std::string::npos);
  EXPECT_EQ(complaint_of(deployment + "routing.attention.allow_noncausal = true\n"), "");
  std::filesystem::remove_all(folder);
}

TEST_F(Causality, AllowanceChangesNoRunsIdentity) {
  EXPECT_EQ(identity(run("attention", late)),
            identity(run("attention", std::string("allow_noncausal = true\n") + late)));
}

}  // namespace
}  // namespace absorb
