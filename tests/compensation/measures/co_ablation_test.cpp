#include "compensation/measures/co_ablation.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "core/error.h"
#include "statistics/counting/ranks.h"
#include "tests/compensation/counted_subject.h"

namespace absorb {
namespace {

using Pair = std::pair<std::size_t, std::size_t>;

CompensationSettings settings_of(int64_t sequences, int64_t most) {
  CompensationSettings settings;
  settings.sequences = sequences;
  settings.most_sequences = most;
  settings.precision = 0.02;
  return settings;
}

Tensor drawn(uint64_t seed, std::string_view what, at::IntArrayRef shape) {
  return gauss({stream_key(seed, what), {}}, shape, at::kCPU).to(at::kDouble);
}

/// [pairs]: in the order of the edges, whether a pair is one of `backups`, and what the measure gives it.
struct Ranked {
  std::vector<bool> planted;
  std::vector<double> together, alone;  // `alone`: the larger of what the two cost by themselves
};

Ranked ranked(const Measurement& measured, const std::vector<Group>& writers, const std::vector<Pair>& backups) {
  const auto alone = [&](std::size_t writer) { return measured.details["writers"][writer]["alone"].get<double>(); };
  Ranked out;
  for (std::size_t i = 0; i < writers.size(); ++i)
    for (std::size_t j = i + 1; j < writers.size(); ++j) {
      out.planted.push_back(std::find(backups.begin(), backups.end(), Pair{i, j}) != backups.end());
      out.together.push_back(edge_of(measured, writers[i].name, writers[j].name, "co_ablation").value);
      out.alone.push_back(std::max(alone(i), alone(j)));
    }
  return out;
}

const std::vector<Pair> backups = {{1, 4}, {2, 9}, {3, 12}, {6, 7}, {8, 15}};  // of 17 writers

TEST(CompensationCoAblation, OfTwoComponentsIsExact) {
  // Both write +1 and -1 in turn: whichever is ablated moves the output by -1 and +1, both move it by twice that. With
  // no distance left, 1/2 4 - 1/2 - 1/2 = 1.
  CountedSubject subject({1, 1, 2, 0.0});
  subject.goal_at_distance(0);
  subject.effects().direction().fill_(1);
  subject.effects().direction()[0].fill_(0);  // the embedding moves nothing
  for (int64_t writer = 1; writer < 3; ++writer)
    subject.effects().own()[writer].copy_(at::tensor({1.0, -1.0}, at::kDouble));
  const Measurement measured = measure_co_ablation(subject, settings_of(2, 2), {});
  ASSERT_EQ(measured.edges.size(), 3U);
  EXPECT_DOUBLE_EQ(edge_of(measured, "0.o", "0.feed_forward", "co_ablation").value, 1);
  EXPECT_DOUBLE_EQ(edge_of(measured, "embedding", "0.o", "co_ablation").value, 0);
  EXPECT_DOUBLE_EQ(measured.details["loss"].get<double>(), 0);
  EXPECT_DOUBLE_EQ(measured.details["writers"][0]["alone"].get<double>(), 0);
  EXPECT_DOUBLE_EQ(measured.details["writers"][1]["alone"].get<double>(), 0.5);
  // One that takes away what the other writes is no backup: without the other it harms.
  subject.effects().direction()[2].fill_(-1);
  subject.rename("chain");
  const Measurement chain = measure_co_ablation(subject, settings_of(2, 2), {});
  EXPECT_DOUBLE_EQ(edge_of(chain, "0.o", "0.feed_forward", "co_ablation").value, -1);
}

TEST(CompensationCoAblation, MeetsTheClosedForm) {
  CountedSubject subject({2, 4, 128});
  subject.effects().respond(2, 0, -0.5);
  subject.effects().respond(4, 1, 0.6);
  std::vector<int64_t> all(128);
  std::iota(all.begin(), all.end(), 0);
  const Measurement measured = measure_co_ablation(subject, settings_of(128, 128), {});
  const std::vector<Group> writers = subject.writers();
  ASSERT_EQ(measured.edges.size(), 10U);
  EXPECT_EQ(subject.asked, 1 + 5 + 10);
  EXPECT_EQ(measured.details["evaluations"], 16);
  for (const auto& [i, j] : std::vector<Pair>{{0, 1}, {0, 3}, {1, 2}, {1, 3}, {2, 3}, {3, 4}}) {  // no response between
    const std::vector<std::size_t> first = {i}, second = {j};
    const Tensor product = (subject.effects().moved(first, all) * subject.effects().moved(second, all)).sum(1);
    const GraphEdge& edge = edge_of(measured, writers[i].name, writers[j].name, "co_ablation");
    EXPECT_NEAR(edge.value, product.mean().item<double>(), 1e-10) << edge.from << " " << edge.to;
    EXPECT_NEAR(edge.standard_error, product.std().item<double>() / std::sqrt(128.0), 1e-10);
    EXPECT_EQ(edge.samples, 128);
  }
}

TEST(CompensationCoAblation, RanksPlantedBackups) {
  for (const uint64_t seed : {1, 2, 3, 4, 5}) {
    CountedSubject subject({8, 4, 64});
    Tensor own = subject.effects().own(), direction = subject.effects().direction();
    own.copy_(drawn(seed, "own", own.sizes()));
    direction.copy_(drawn(seed, "direction", direction.sizes()));
    const Tensor noise = drawn(seed, "noise", own.sizes());
    for (const auto& [i, j] : backups) {  // the same content for the same purpose, and as much of its own
      own[static_cast<int64_t>(j)].copy_(own[static_cast<int64_t>(i)] + noise[static_cast<int64_t>(j)]);
      direction[static_cast<int64_t>(j)].copy_(direction[static_cast<int64_t>(i)]);
    }
    const Measurement measured = measure_co_ablation(subject, settings_of(64, 64), {});
    const Ranked found = ranked(measured, subject.writers(), backups);
    ASSERT_EQ(found.planted.size(), 136U);
    EXPECT_GE(auc(found.together, found.planted), 0.9) << seed;
  }
}

/// A small model with silent backups. Every writer but the embedding writes a sign times its own strength; a consumer
/// of each planted pair asks whether either of them says so (it saturates), all others are read as they are. Each feeds
/// one of three binary targets, whose cross-entropy is the loss. One of a pair alone is hardly missed.
class ConsumedSubject : public CountedSubject {
 public:
  explicit ConsumedSubject(uint64_t seed) : CountedSubject({8, 3, 96}), strength_(drawn(seed, "strength", {17})) {
    strength_ = 0.5 + strength_.abs();
    targets_ = drawn(seed, "targets", {3, 96}).sign();
    noise_ = drawn(seed, "writes", {17, 96});
    rename("consumed");
  }

  std::vector<double> ablated_losses(std::span<const std::size_t> ablated, Examples examples) override {
    count(examples);
    Tensor written = at::empty({17, 96}, at::kDouble);
    for (int64_t w = 0; w < 17; ++w) written[w].copy_(targets_[read_by(w)] * strength_[w] + 0.3 * noise_[w]);
    for (const std::size_t w : ablated)
      written[static_cast<int64_t>(w)].copy_(written[static_cast<int64_t>(w)].mean().expand({96}));
    Tensor logits = at::zeros({3, 96}, at::kDouble);
    for (int64_t w = 1; w < 17; ++w)
      if (partner(w) < 0) logits[read_by(w)] += 0.3 * written[w];
    for (const auto& [i, j] : backups) {
      const auto first = static_cast<int64_t>(i), second = static_cast<int64_t>(j);
      logits[read_by(first)] += 1.5 * (4 * (written[first] + written[second])).tanh();
    }
    const Tensor losses = at::softplus(-targets_ * logits).sum(0);
    std::vector<double> out;
    for (const int64_t example : examples) out.push_back(losses[example].item<double>());
    return out;
  }

 private:
  static int64_t partner(int64_t writer) {
    for (const auto& [i, j] : backups) {
      if (static_cast<int64_t>(i) == writer) return static_cast<int64_t>(j);
      if (static_cast<int64_t>(j) == writer) return static_cast<int64_t>(i);
    }
    return -1;
  }
  static int64_t read_by(int64_t writer) {
    const int64_t other = partner(writer);
    return (other < 0 ? writer : std::min(writer, other)) % 3;
  }
  Tensor strength_, targets_, noise_;
};

TEST(CompensationCoAblation, FindsBackupsThatAreSilentAlone) {
  for (const uint64_t seed : {1, 2, 3}) {
    ConsumedSubject subject(seed);
    const Measurement measured = measure_co_ablation(subject, settings_of(96, 96), {});
    const Ranked found = ranked(measured, subject.writers(), backups);
    EXPECT_GE(auc(found.together, found.planted), 0.9) << seed;
    EXPECT_LT(auc(found.alone, found.planted), 0.5) << seed;  // what single ablations say
  }
}

TEST(CompensationCoAblation, AsksForThePairsOfTheLayersThatAreNamed) {
  CountedSubject subject({3, 4, 16});
  MeasureContext context;
  context.layers = {1};
  const Measurement measured = measure_co_ablation(subject, settings_of(16, 16), context);
  EXPECT_EQ(measured.edges.size(), 1U + 2 * 5);  // within the layer, and its two with all five others
  EXPECT_EQ(subject.asked, 1 + 7 + 11);
  for (const GraphEdge& edge : measured.edges)
    EXPECT_TRUE(edge.from.starts_with("1.") || edge.to.starts_with("1.")) << edge.from << " " << edge.to;
  context.layers = {3};
  EXPECT_THROW(measure_co_ablation(subject, settings_of(16, 16), context), UserError);
}

TEST(CompensationCoAblation, ReadsMoreUntilItIsPreciseOrSaysSo) {
  CountedSubject subject({1, 4, 256});
  const Measurement measured = measure_co_ablation(subject, settings_of(32, 200), {});
  EXPECT_EQ(subject.examples_read, 7 * 192);  // whole chunks: nothing, three writers and three pairs ablated
  EXPECT_EQ(measured.edges[0].samples, 192);
  ASSERT_EQ(measured.notes.size(), 1U);
}

TEST(CompensationCoAblation, RefusesALossThatIsNotFinite) {
  CountedSubject subject({1, 4, 8});
  subject.effects().direction()[2].fill_(std::numeric_limits<double>::infinity());
  try {
    measure_co_ablation(subject, settings_of(8, 8), {});
    FAIL();
  } catch (const UserError& error) {
    EXPECT_NE(std::string(error.what()).find("not finite"), std::string::npos) << error.what();
  }
}

TEST(CompensationCoAblation, IsResumedBitForBit) {
  expect_resumes(
      [] {
        return CountedSubject({2, 4, 256});
      },
      [](Subject& subject, const MeasureContext& context) {
        return measure_co_ablation(subject, settings_of(32, 128), context);
      },
      19);
}

}  // namespace
}  // namespace absorb
