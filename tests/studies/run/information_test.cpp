// Bits between decisions and labels: by hand, of runs whose answer is known, and of probes.
#include "studies/run/information.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include <cmath>

#include "core/error.h"
#include "router/route.h"
#include "studies/folder/fields/record_fields.h"
#include "studies/run/probe.h"
#include "training/checkpoint.h"

namespace absorb {
namespace {

constexpr int64_t few = 199;  // permutations

Tensor normal(const std::string& name, at::IntArrayRef shape) {
  return gauss({stream_key(5, name), {}}, shape, at::kCPU);
}

Tensor kinds(const std::string& name, int64_t n, int64_t below) {
  return (uniform({stream_key(5, name), {}}, {n}, at::kCPU) * static_cast<double>(below)).to(at::kLong);
}

Tensor first_half(int64_t n) {
  return at::arange(n) < n / 2;
}

ObservedChoices experts(const Tensor& decisions, const Tensor& labels, const Tensor& features) {
  const int64_t n = labels.numel();
  return {false, 4, decisions, labels, at::zeros({n}, at::kLong), features, first_half(n)};
}

SiteInformation told(const ObservedChoices& seen) {
  return site_information(count_choices(seen), few, 1);
}

// What no permutation tells from chance.
void expect_chance(const BitsRecord& bits) {
  EXPECT_GT(bits.p, 0.02) << bits.plug_in << " bits, null " << bits.null_mean << ", 95 % " << bits.null_95;
  EXPECT_LT(std::abs(bits.corrected), bits.null_95);
}

// Each run numbers its experts as it likes.
TEST(StudyInformation, ExpertsOfOtherNumbersSayAllTheyCan) {
  const Tensor labels = at::arange(4000).remainder(4);
  const Tensor decisions = at::tensor({2, 0, 3, 1}, at::kLong).index_select(0, labels);
  const BitsRecord bits = told(experts(decisions, labels, normal("x", {4000, 3}))).decision;
  EXPECT_EQ(bits.n, 4000);
  EXPECT_NEAR(bits.plug_in, 2, 1e-12);
  EXPECT_NEAR(bits.label_entropy, 2, 1e-12);
  EXPECT_DOUBLE_EQ(bits.p, 1.0 / (1 + few));
  expect_chance(told(experts(kinds("others", 4000, 4), labels, normal("x", {4000, 3}))).decision);
}

TEST(StudyInformation, AProbeReadsALinearLabelAndNoRandomOne) {
  const Tensor x = normal("x", {8000, 12}) * at::linspace(0.1, 3, 12) + 7;
  const Tensor unit = (x - 7) / at::linspace(0.1, 3, 12), labels = unit.narrow(1, 0, 4).argmax(1);
  const BitsRecord linear = told(experts(labels, labels, x)).ceiling;
  EXPECT_EQ(linear.n, 4000);
  EXPECT_GT(linear.corrected, 0.85 * linear.label_entropy);
  expect_chance(told(experts(labels, kinds("noise", 8000, 4), x)).ceiling);
}

// A label of one in eight: an argmax would keep nothing. How rare it is differs by stratum, and so does a feature, the
// other way round than within one.
TEST(StudyInformation, AProbeOfPairsReadsARareLabelWithinItsStratum) {
  const int64_t strata = 16, each = 512, n = strata * each;
  const Tensor of = at::arange(n).remainder(strata), level = normal("level", {strata}).index_select(0, of);
  const Tensor pairs = normal("pairs", {n, 6}), content = pairs.select(1, 0) - pairs.select(1, 1);
  const Tensor x = pairs + 5 * level.unsqueeze(1) * (at::arange(6) == 0);
  const auto seen = [&](const Tensor& value) {
    const Tensor labels = (value > 1.6).to(at::kLong);
    return ObservedChoices{true, 2, labels, labels, of, x, first_half(n)};
  };
  const BitsRecord rare = told(seen(content)).ceiling;
  EXPECT_NEAR(rare.label_entropy, 0.54, 0.04);
  EXPECT_GT(rare.corrected, 0.8 * rare.label_entropy);
  const BitsRecord uneven = told(seen(content - level)).ceiling;
  EXPECT_GT(uneven.label_entropy, 0.3);
  EXPECT_GT(uneven.corrected, 0.8 * uneven.label_entropy);
  expect_chance(told(seen(normal("rare", {n}) * std::sqrt(2))).ceiling);
  const BitsRecord shared = told(seen(10 * level)).ceiling;  // the stratum decides all
  EXPECT_NEAR(shared.label_entropy, 0, 1e-12);
  EXPECT_NEAR(shared.plug_in, 0, 1e-12);
}

TEST(StudyInformation, AProbeNeedsBothHalves) {
  ObservedChoices seen = experts(kinds("a", 100, 4), kinds("b", 100, 4), normal("x", {100, 2}));
  seen.fit = at::ones({100}, at::kBool);
  EXPECT_THROW(probed_labels(seen.features, seen.labels, 4, seen.fit), InternalError);
  const SiteInformation bits = told(seen);
  EXPECT_EQ(bits.decision.n, 100);
  EXPECT_EQ(bits.ceiling.n, 0);
  EXPECT_TRUE(std::isnan(bits.ceiling.corrected));
}

TEST(StudyInformation, ItsRecordComesBack) {
  InformationRecord record;
  record.sites["blocks.0.experts"] = told(experts(kinds("a", 100, 4), kinds("b", 100, 4), normal("x", {100, 2})));
  record.decision = record.sites.begin()->second.decision;
  const Json written = write_record_fields(detail::list_of(record));
  InformationRecord again;
  read_record_fields(written, "test", detail::list_of(again));
  EXPECT_EQ(write_record_fields(detail::list_of(again)), written);
  EXPECT_EQ(again.sites.at("blocks.0.experts").ceiling.n, 50);
  EXPECT_TRUE(std::isnan(again.ceiling.p));
}

// Two runs of two layers that never trained: what holds here holds of any weights.
class InformationOfRuns : public testing::Test {
 protected:
  static RunSettings settings(const std::string& target, const std::string& routing, int64_t seed = 1, int heads = 1) {
    const std::string text = fmt::format(
        "data = {{ type = \"recall\", pairs = 12, sequences = 512 }}\n[model]\nlayers = 2\nwidth = 24\nheads = {}\n"
        "context = 24\ninit_std = 0.3\nmoe.experts = 4\nmoe.hidden = 8\n[training]\nbatch = 32\n[routing]\n{}",
        heads, routing);
    return read_run_settings(Settings::from_text(text, "test"), target, seed);
  }
  static std::shared_ptr<const Dataset> data(const RunSettings& run) { return make_dataset(run.data, 24, 1); }
  static LiveRun live(const RunSettings& run) { return {run, data(run)->vocabulary(), at::kCPU}; }

  /// `run`'s routes with another routing at every site.
  static Routes others(const LiveRun& run, const std::string& routing) {
    const auto read = read_settings<RoutingSettings>(Settings::from_text(routing, "test"));
    const Parameters drawn(stream_key(1, "others"));
    Routes routes = run.routes();
    for (auto& [site, route] : routes.at) route = make_route(site, route->task(), read, drawn);
    drawn.gather(at::kCPU);
    return routes;
  }

  static InformationRecord found(const std::string& kind, const LiveRun& run, const Routes& routes,
                                 const LiveRun& independent) {
    const Tensor before = run.parameters().flat().clone();
    const auto all = routing_information(run, routes, independent, *data(run.settings()),
                                         {.tokens = 1 << 16, .observations = 8192, .permutations = few});
    EXPECT_TRUE(at::equal(run.parameters().flat(), before));
    EXPECT_EQ(all.size(), 1U);
    EXPECT_EQ(all.at(kind).sites.size(), 2U);
    return all.at(kind);
  }
};

std::string experts_by(const std::string& router, const std::string& weight = "softmax_kept") {
  return fmt::format("router.type = \"{}\"\nselection = {{ type = \"top_k\", k = 2, weight = \"{}\" }}\n", router,
                     weight);
}
std::string keys_by(const std::string& router) {
  return fmt::format("router.type = \"{}\"\nselection = {{ type = \"top_k\", k = 6, weight = \"one\" }}\n", router);
}

TEST_F(InformationOfRuns, AnOracleOfTheSameExpertsSaysTheWholeLabel) {
  const LiveRun run = live(settings("moe", experts_by("linear"))), twin = live(run.settings());
  for (const char* weight : {"softmax_kept", "sigmoid", "mean"}) {  // the best of the two that are kept
    const InformationRecord bits = found("moe", run, others(run, experts_by("own", weight)), twin);
    EXPECT_NEAR(bits.decision.plug_in, bits.decision.label_entropy, 1e-12) << weight;
    EXPECT_GT(bits.decision.label_entropy, 1);
    // Half of the tokens of this task have a target, and the last layer's experts help no other.
    const auto first = static_cast<double>(bits.sites.at("blocks.0.experts").decision.n),
               last = static_cast<double>(bits.sites.at("blocks.1.experts").decision.n);
    EXPECT_NEAR(last / first, 0.5, 0.1);
    EXPECT_EQ(bits.decision.n, static_cast<int64_t>(first + last));
  }
}

TEST_F(InformationOfRuns, AnOracleOfTheSameKeysSaysTheWholeLabel) {
  const LiveRun run = live(settings("attention", keys_by("own"))), twin = live(run.settings());
  const BitsRecord bits = found("attention", run, run.routes(), twin).decision;
  EXPECT_NEAR(bits.plug_in, bits.label_entropy, 1e-12);
  EXPECT_GT(bits.label_entropy, 0.5);
  const BitsRecord apart =
      found("attention", run, run.routes(), live(settings("attention", keys_by("own"), 2))).decision;
  EXPECT_LT(apart.plug_in, 0.1 * apart.label_entropy) << "untrained runs prefer other keys";
}

// Masks of one budget agree at early queries, which keep most keys, and recent keys are wanted more: neither is
// content.
TEST_F(InformationOfRuns, OfRandomAndOfPositionalRoutingIsNone) {
  const LiveRun moe = live(settings("moe", experts_by("linear"))),
                other = live(settings("moe", experts_by("linear"), 2));
  expect_chance(found("moe", moe, others(moe, experts_by("redrawn")), other).decision);

  const LiveRun run = live(settings("attention", keys_by("redrawn"), 1, 2)),
                label = live(settings("attention", keys_by("redrawn"), 2, 2));
  const BitsRecord random = found("attention", run, run.routes(), label).decision;
  expect_chance(random);
  EXPECT_GT(random.decision_entropy, 0.5);
  EXPECT_EQ(found("attention", run, run.routes(), label).decision.null_95, random.null_95);
  for (const char* router : {"constant", "positional"}) {  // positional: each head has a table of its own
    const BitsRecord bits = found("attention", run, others(run, keys_by(router)), label).decision;
    EXPECT_EQ(bits.decision_entropy, 0) << router;
    EXPECT_NEAR(bits.plug_in, 0, 1e-12) << router;
  }
}

// A fixed random router of content is another matter: an expert for each token id says what the id says of the label.
TEST_F(InformationOfRuns, OfFrozenRandomContentIsSome) {
  const LiveRun run = live(settings("moe", experts_by("linear"))),
                other = live(settings("moe", experts_by("linear"), 2));
  const BitsRecord bits = found("moe", run, others(run, experts_by("hash")), other).decision;
  EXPECT_GT(bits.corrected, 2 * bits.null_95);
  EXPECT_DOUBLE_EQ(bits.p, 1.0 / (1 + few));
}

// With Q = K = 1 the layer prefers keys by the sum of x_t x_s, which the probe sees.
TEST_F(InformationOfRuns, TheProbeSeesTheRoutersInput) {
  const LiveRun run = live(settings("attention", keys_by("redrawn"))), twin = live(run.settings());
  for (const LiveRun* one : {&run, &twin})
    for (auto& [name, tensor] : named_tensors(one->parameters()))
      if (name == "blocks.0.attention.q" || name == "blocks.0.attention.k") {
        at::NoGradGuard no_grad;
        Tensor(tensor).copy_(at::eye(24));
      }
  const SiteInformation bits = found("attention", run, run.routes(), twin).sites.at("blocks.0.attention");
  EXPECT_GT(bits.ceiling.corrected, 0.3 * bits.ceiling.label_entropy);
  EXPECT_DOUBLE_EQ(bits.ceiling.p, 1.0 / (1 + few));
  expect_chance(bits.decision);
}

TEST_F(InformationOfRuns, LeavesOutSitesWithoutABudgetAndRefusesAnotherTarget) {
  const LiveRun soft = live(settings("attention", "router.type = \"bilinear\"\nselection.type = \"soft\"\n"));
  EXPECT_TRUE(routing_information(soft, soft.routes(), soft, *data(soft.settings())).empty());
  const LiveRun moe = live(settings("moe", experts_by("linear")));
  EXPECT_THROW(routing_information(soft, soft.routes(), moe, *data(soft.settings())), UserError);
}

}  // namespace
}  // namespace absorb
