// What routers and selections keep moves by the step: cutting a step into micro-batches changes nothing.
#include "tests/routing_fixture.h"

namespace absorb {
namespace {

using namespace testing;

// The one state of an expert route after a step that is cut into so many micro-batches.
Tensor after_a_step(const std::string& toml, int64_t micro_batches) {
  const RoutingTask task = moe_task(8, 4);
  const Parameters parameters(1, at::kDouble);
  const auto route = make_route("site", task, routing(toml), parameters);
  std::vector<AfterStep> all;
  for (const Tensor& part : features({8, 5, 8}).chunk(micro_batches)) {
    Pass pass{.in = {.training = true}};
    (*route)(input_for(task, part), pass);
    all.insert(all.end(), pass.out.after_step.begin(), pass.out.after_step.end());
  }
  EXPECT_EQ(all.size(), static_cast<std::size_t>(micro_batches));
  std::vector<AfterStep::Seen> seen;
  for (const AfterStep& one : all) seen.push_back(one.seen);
  at::NoGradGuard no_grad;
  all.front().update(seen);
  EXPECT_EQ(parameters.states().size(), 1U);
  return parameters.states().begin()->second.clone();
}

TEST(RouterStates, TheBiasOfLossFreeMovesByItsRateAlone) {
  const std::string toml =
      "router.type = \"linear\"\nselection = { type = \"loss_free\", k = 2, weight = \"softmax_kept\", rate = 0.01 }";
  for (const int64_t parts : {1, 2, 8}) {
    const Tensor bias = after_a_step(toml, parts);
    EXPECT_NEAR(bias.abs().max().item<double>(), 0.01, 1e-15) << parts;
    EXPECT_TRUE(at::equal(bias, after_a_step(toml, 1))) << parts;
  }
}

TEST(RouterStates, TheMeansOfBlockMeanMoveToThoseOfTheStep) {
  const std::string toml =
      "router = { type = \"block_mean\", rate = 0.5 }\nselection = { type = \"top_k\", k = 2, weight = \"mean\" }";
  const Tensor whole = after_a_step(toml, 1);
  for (const int64_t parts : {2, 8}) EXPECT_TRUE(at::allclose(after_a_step(toml, parts), whole, 1e-12, 1e-12)) << parts;
}

}  // namespace
}  // namespace absorb
