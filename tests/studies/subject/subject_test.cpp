// A trained run as a subject of compensation: what it answers must be the model's, and nothing that is asked may change
// it.
#include <torch/types.h>

#include <cmath>
#include <numeric>

#include "compensation/measures/alignment.h"
#include "compensation/measures/co_ablation.h"
#include "core/error.h"
#include "core/random.h"
#include "studies/run/live_run.h"
#include "studies/subject/subject.h"
#include "tests/studies/command/command_fixture.h"

namespace absorb {
namespace {

class StudySubject : public testing::CommandTest {
 protected:
  static constexpr int64_t examples_count = 12;

  /// Trains a study of all three targets and opens one of its runs.
  std::unique_ptr<Subject> subject(const std::string& target) { return make_subject(spec_of(target), {}); }

  RunSpec spec_of(const std::string& target, const std::string& arm = "learned") {
    const Path file = folder / "study.toml";
    if (!std::filesystem::exists(file)) {
      three_targets("[routing.moe]\nselection = { type = \"top_k\", k = 2, weight = \"softmax_kept\" }\n");
      EXPECT_EQ(run(run_arguments(file)).status, 0);
    }
    for (const RunSpec& spec : plan_runs(read_study(file), folder / "runs").runs)
      if (spec.arm == arm && spec.settings.target == target) return spec;
    throw std::runtime_error("no run of " + target);
  }

  static std::vector<int64_t> examples() {
    std::vector<int64_t> list(examples_count);
    for (std::size_t i = 0; i < list.size(); ++i) list[i] = static_cast<int64_t>(i);
    return list;
  }
};

Group group_of(const Subject& subject, Part part, int64_t layer) {
  Group group{std::string(to_string(part)), {}};
  for (const Component& c : subject.components())
    if (c.part == part && c.layer == layer) group.components.push_back(c);
  return group;
}

/// The disturbed router, or the first component of a part.
Disturbance disturbance_of(const Subject& subject, Part part, double dose) {
  return {group_of(subject, part, 0).components, 1, dose};
}

double mean(const std::vector<double>& values) {
  double sum = 0;
  for (double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

TEST_F(StudySubject, IsLeftAsItWas) {
  for (const char* target : {"attention", "moe", "both"}) {
    const auto s = subject(target);
    const std::vector<int64_t> list = examples();
    const std::vector<double> before = s->losses(list, {});
    const Part router = std::string(target) == "moe" ? Part::expert_router : Part::attention_router;
    const std::vector<Group> groups = {group_of(*s, Part::q, 1), group_of(*s, router, 0)};
    for (const Part disturbed : {router, Part::v, Part::embedding}) {
      Disturbance d{group_of(*s, disturbed, disturbed == Part::embedding ? -1 : 0).components, 1, 0.5};
      ASSERT_FALSE(d.components.empty());
      EXPECT_NE(s->losses(list, d), before);
      s->adapt(d, {{groups[1].components}, {2}, 0, 0}, list);
      s->adapt(d, {{groups[0].components, groups[1].components}, {1, 3}, 16, 3}, list);
      s->gradients(groups, d, list);
    }
    s->example_gradients(groups, list, 8);
    s->hessian_products(groups, 0, at::ones({s->numbers(groups[0].components[0])}), list);
    s->direct_effects(1, list);
    const std::vector<std::size_t> pair = {0, 3};
    EXPECT_NE(s->ablated_losses(pair, list), before);
    EXPECT_EQ(s->ablated_losses({}, list), before);
    s->expert_layers(list);
    EXPECT_EQ(s->losses(list, {}), before) << target;
  }
}

TEST_F(StudySubject, AdaptsNothingInNoStepsAndTheSameTwice) {
  const auto s = subject("both");
  const std::vector<int64_t> list = examples();
  for (const double dose : {0.5, 1.0}) {
    const Disturbance d = disturbance_of(*s, Part::attention_router, dose);
    const std::vector<Component> trained = group_of(*s, Part::expert, 1).components;
    const Adapted once = s->adapt(d, {{trained}, {0, 5}, 32, 1}, list),
                  twice = s->adapt(d, {{trained}, {0, 5}, 32, 1}, list);
    ASSERT_EQ(once.losses.size(), 2U);
    EXPECT_EQ(once.losses[0], s->losses(list, d));
    EXPECT_EQ(once.losses, twice.losses);
    EXPECT_NE(once.losses[1], once.losses[0]);
    EXPECT_NE(s->adapt(d, {{trained}, {0, 5}, 32, 2}, list).losses, once.losses);  // another subspace
  }
}

TEST_F(StudySubject, RecoversDamage) {
  const auto s = subject("attention");
  const std::vector<int64_t> list = examples();
  const Group tables = group_of(*s, Part::embedding, -1);
  const Disturbance noise{tables.components, 1, 10};
  const double base = mean(s->losses(list, {})), damaged = mean(s->losses(list, noise));
  ASSERT_GT(damaged, base + 0.05);
  for (const int64_t dimension : {0, 64}) {
    const Adapted adapted = s->adapt(noise, {{tables.components}, {5, 60}, dimension, 1}, list);
    EXPECT_LT(mean(adapted.losses[1]), mean(adapted.losses[0])) << dimension;
    EXPECT_LT(mean(adapted.losses[1]), damaged - 0.02 * (damaged - base)) << dimension;
  }
}

TEST_F(StudySubject, DoesMoreDamageAtALargerDose) {
  for (const char* target : {"attention", "moe"}) {
    const auto s = subject(target);
    const Part router = std::string(target) == "moe" ? Part::expert_router : Part::attention_router;
    const std::vector<int64_t> list = examples();
    EXPECT_EQ(s->losses(list, disturbance_of(*s, router, 0)), s->losses(list, {}));
    EXPECT_EQ(s->losses(list, {{}, 7, 1.0}), s->losses(list, {}));
    // Replaced items stay replaced: at a share near 1 almost everything is as if swapped whole.
    const double base = mean(s->losses(list, {}));
    const auto cost = [&](double dose) { return mean(s->losses(list, disturbance_of(*s, router, dose))) - base; };
    EXPECT_NEAR(cost(0.999), cost(1), 0.1 * std::abs(cost(1)));
    EXPECT_GT(std::abs(cost(1)), std::abs(cost(0.1)));
    EXPECT_NE(s->losses(list, {group_of(*s, router, 0).components, 2, 1}),
              s->losses(list, {group_of(*s, router, 0).components, 1, 1}));
  }
}

TEST_F(StudySubject, GradientsAreMeansOfThoseOfExamples) {
  for (const char* target : {"attention", "both"}) {
    const auto s = subject(target);
    const std::vector<int64_t> list = examples();
    std::vector<Group> groups = {group_of(*s, Part::q, 0), group_of(*s, Part::norm, 1), group_of(*s, Part::o, 1),
                                 group_of(*s, Part::embedding, -1)};
    const auto rows = s->example_gradients(groups, list, 0);
    const auto means = s->gradients(groups, {}, list);
    for (std::size_t g = 0; g < groups.size(); ++g) {
      int64_t numbers = 0;
      for (const Component& c : groups[g].components) numbers += s->numbers(c);
      EXPECT_EQ(rows[g].size(0), examples_count);
      EXPECT_EQ(rows[g].size(1), numbers);
      EXPECT_TRUE(at::allclose(rows[g].mean(0), means[g], 1e-3, 1e-6)) << target << " " << groups[g].name;
      EXPECT_EQ(s->example_gradients({groups.data() + g, 1}, list, 16)[0].size(1), 16);
    }
  }
}

/// H v by central differences of gradients: weights are moved by a disturbance, whose direction is known.
TEST_F(StudySubject, HessianProductsEqualDifferencesOfGradients) {
  for (const char* target : {"attention", "moe", "both"}) {
    const auto s = subject(target);
    const std::vector<int64_t> list = examples();
    const Part routed = std::string(target) == "moe" ? Part::expert_router : Part::attention_router;
    const std::vector<Group> groups = {group_of(*s, Part::v, 0), group_of(*s, Part::k, 1), group_of(*s, routed, 0),
                                       group_of(*s, Part::norm, -1)};
    const Tensor values = s->values(groups[0]);
    // Subject: dose x root mean square x normal draw is added. The opposite sign is a negative dose.
    const RandomKey key{stream_key(5, "disturbance/" + to_string(groups[0].components[0])), {}};
    const Tensor v = gauss(key, {values.numel()}, at::kCPU) * values.square().mean().sqrt();
    const double step = 2e-3;
    const auto up = s->gradients(groups, {groups[0].components, 5, step}, list);
    const auto down = s->gradients(groups, {groups[0].components, 5, -step}, list);
    const auto products = s->hessian_products(groups, 0, v, list);
    double largest = 0;
    for (const Tensor& product : products) largest = std::max(largest, product.norm().item<double>());
    for (std::size_t g = 0; g < groups.size(); ++g) {
      const Tensor differences = (up[g] - down[g]) / (2 * step);
      const double size = products[g].norm().item<double>();
      EXPECT_GT(size, 0) << target << " " << groups[g].name;
      EXPECT_LT((differences - products[g]).norm().item<double>(), 0.03 * size + 1e-3 * largest)
          << target << " " << groups[g].name;
    }
  }
}

TEST_F(StudySubject, DirectEffectsAddUpToTheLogit) {
  const auto s = subject("both");
  const std::vector<int64_t> list = examples();
  const std::vector<Group> writers = s->writers();
  ASSERT_EQ(writers.size(), 5U);
  EXPECT_EQ(writers[1].name, "0.o");
  EXPECT_EQ(writers[4].name, "1.expert");
  const Tensor clean = s->direct_effects(std::nullopt, list);
  EXPECT_EQ(clean.sizes(), (std::vector<int64_t>{5, examples_count}));
  const Tensor ablated = s->direct_effects(1, list);
  EXPECT_TRUE(at::equal(ablated[0], clean[0]));   // what comes before can't change
  EXPECT_FALSE(at::equal(ablated[2], clean[2]));  // what comes after does
  EXPECT_FALSE(at::equal(ablated[1], clean[1]));
  // The last writer changes nothing but itself.
  const Tensor last = s->direct_effects(4, list);
  for (int64_t w = 0; w < 4; ++w) EXPECT_TRUE(at::equal(last[w], clean[w])) << w;
}

/// By a second reading of the same weights: two writers write their means while all others answer for themselves.
TEST_F(StudySubject, AblatesWritersByTheirMeans) {
  const auto s = subject("both");
  const std::vector<int64_t> list = examples();
  const std::vector<std::size_t> pair = {0, 2};
  s->ablated_losses(pair, std::span(list).first(1));  // whose means are other ones
  const std::vector<double> both = s->ablated_losses(pair, list), clean = s->losses(list, {});
  const RunSpec spec = spec_of("both");
  const auto data = make_dataset(spec.settings.data, spec.settings.model.context, 1);
  const LiveRun live(spec.settings, data->vocabulary(), at::kCPU);
  load_weights(live, spec.folder);
  const at::NoGradGuard no_grad;
  std::vector<Tensor> tokens, targets;
  for (const int64_t example : list) {
    tokens.push_back(data->evaluation(Split::valid, example, 1).tokens);
    targets.push_back(data->evaluation(Split::valid, example, 1).targets);
  }
  const Batch batch{at::cat(tokens), at::cat(targets)};
  std::map<Site, Tensor> means;
  const auto nats = [&](const std::function<Tensor(const Site&, const Tensor&)>& write) {
    Pass pass{.in = {.seed = 1, .step = at::zeros({}, at::kLong), .write = write}};
    return live.losses()(batch, pass).sum(1) / (batch.targets >= 0).sum(1);
  };
  nats([&](const Site& site, const Tensor& y) {
    means[site] = y.mean(at::IntArrayRef{0, 1});
    return y;
  });
  ASSERT_EQ(means.size(), 5U);
  const Tensor expected = nats([&](const Site& site, const Tensor& y) {
    const bool out = site == "embedding" || site == "blocks.0.feed_forward";
    return out ? means.at(site).expand_as(y) : y;
  });
  double moved = 0;
  for (std::size_t e = 0; e < list.size(); ++e) {
    EXPECT_NEAR(both[e], expected[static_cast<int64_t>(e)].item<double>(), 2e-6) << e;
    moved = std::max(moved, std::abs(both[e] - clean[e]));
  }
  EXPECT_GT(moved, 1e-4);
}

TEST_F(StudySubject, ItsPartsBackEachOtherUpAsFarAsTheirLossesSay) {
  const auto s = subject("both");
  CompensationSettings settings;
  settings.sequences = settings.most_sequences = s->held_out();
  const Measurement measured = measure_co_ablation(*s, settings, {});
  ASSERT_EQ(measured.edges.size(), 10U);
  std::vector<int64_t> all(static_cast<std::size_t>(s->held_out()));
  std::iota(all.begin(), all.end(), 0);
  const auto loss = [&](const std::vector<std::size_t>& ablated) { return mean(s->ablated_losses(ablated, all)); };
  const GraphEdge& edge = measured.edges.front();
  EXPECT_EQ(edge.from + " " + edge.to, "embedding 0.o");
  EXPECT_NEAR(edge.value, loss({0, 1}) - loss({0}) - loss({1}) + loss({}), 1e-6);
  EXPECT_GT(std::abs(edge.value), 3e-5);
  EXPECT_NEAR(measured.details["writers"][2]["alone"].get<double>(), loss({2}) - loss({}), 1e-6);
}

/// Against the weights themselves: a bilinear router's direction for expert e is W_a^T u_e / sqrt(rank).
TEST_F(StudySubject, SaysWhatRoutersAndExpertsRead) {
  for (const char* target : {"moe", "both"}) {
    const auto s = subject(target);
    const std::vector<int64_t> list = examples();
    const std::vector<ExpertLayer> layers = s->expert_layers(list);
    ASSERT_EQ(layers.size(), 2U);
    for (int64_t l = 0; l < 2; ++l) {
      constexpr int64_t experts = 4, width = 32, rank = 16;
      const ExpertLayer& layer = layers[static_cast<std::size_t>(l)];
      EXPECT_EQ(layer.router, (Component{l, Part::expert_router, 0}));
      const Tensor router = s->values(group_of(*s, Part::expert_router, l)).to(at::kDouble);
      ASSERT_EQ(router.numel(), rank * width + experts * rank);
      const Tensor query = router.narrow(0, 0, rank * width).view({rank, width}),
                   table = router.narrow(0, rank * width, experts * rank).view({experts, rank});
      EXPECT_TRUE(at::allclose(layer.directions, table.mm(query) / 4, 1e-4, 1e-6)) << target << l;
      for (int64_t e = 0; e < experts; ++e) {
        const Tensor all = s->values({"", {{l, Part::expert, e}}}).to(at::kDouble);
        const Tensor first = all.narrow(0, 0, layer.inputs[e].numel()).view(layer.inputs[e].sizes());
        EXPECT_TRUE(at::equal(layer.inputs[e], first));
      }
      EXPECT_EQ(layer.scores.sizes(), (std::vector<int64_t>{experts, examples_count * s->tokens_per_sequence()}));
      EXPECT_GT((layer.responses * layer.scores).std().item<double>(), 0);  // of one size
    }
  }
  EXPECT_TRUE(subject("attention")->expert_layers(examples()).empty());
}

TEST_F(StudySubject, AlignsRoutersWithExpertsInBothArms) {
  for (const char* arm : {"learned", "random"}) {
    const Measurement measured = measure_alignment(*make_subject(spec_of("moe", arm), {}), {}, {});
    ASSERT_EQ(measured.edges.size(), 4U) << arm;
    EXPECT_TRUE(measured.notes.empty()) << arm;
    EXPECT_EQ(measured.details["layers"][1]["share"].size(), 4U);
  }
}

TEST_F(StudySubject, RefusesARunThatIsNotFinished) {
  const auto s = subject("moe");
  std::filesystem::remove(folder / "runs/s/learned.moe/seed-1/DONE");
  EXPECT_THROW(subject("moe"), UserError);
}

}  // namespace
}  // namespace absorb
