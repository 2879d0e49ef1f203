#include "compensation/measures/knock_out.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "core/error.h"
#include "tests/compensation/counted_subject.h"

namespace absorb {
namespace {

/// A direct effect is what a writer writes times where the sequence's target lies: an ablated writer that writes its
/// mean still follows no target, as in a real run.
class TargetedSubject : public CountedSubject {
 public:
  explicit TargetedSubject(const Size& size) : CountedSubject(size) {
    const auto sequences = static_cast<int64_t>(size.sequences);
    // Aligned with what the embedding writes, so that ablation removes something.
    targets = 1 + gauss({3, {}}, {sequences}, at::kCPU).to(at::kDouble) * 0.2;
    for (const Tensor& row : effects().own().unbind()) targets = targets + 0.3 * (row - 1);
  }
  Tensor direct_effects(std::optional<std::size_t> ablated, Examples examples) override {
    return CountedSubject::direct_effects(ablated, examples) * chosen(examples);
  }
  Tensor chosen(Examples examples) const {
    return targets.index_select(0, at::tensor(std::vector<int64_t>(examples.begin(), examples.end()), at::kLong));
  }
  Tensor targets;  // [sequences]
};

void plant(LinearSubject& subject) {
  subject.effects().respond(2, 0, -0.5);
  subject.effects().respond(3, 2, -0.4);
  subject.effects().respond(4, 1, 0.6);
}

CompensationSettings settings_of(int64_t sequences, int64_t most) {
  CompensationSettings settings;
  settings.sequences = sequences;
  settings.most_sequences = most;
  settings.precision = 0.02;
  return settings;
}

/// Ablation takes from y_i what isn't its mean: a later writer changes by -reaction * cov(y_i, target), and i itself by
/// -cov(y_i, target), over all sequences.
double covariance(TargetedSubject& subject, std::size_t writer) {
  std::vector<int64_t> all(static_cast<std::size_t>(subject.held_out()));
  std::iota(all.begin(), all.end(), 0);
  const Tensor written = subject.effects().effects(std::nullopt, all)[static_cast<int64_t>(writer)];
  return ((written - written.mean()) * subject.targets).mean().item<double>();
}

TEST(CompensationKnockOut, MeetsTheClosedForm) {
  TargetedSubject subject({2, 4, 256});
  plant(subject);
  const std::vector<Group> writers = subject.writers();
  ASSERT_EQ(writers.size(), 5U);
  const Measurement measured = measure_knock_out(subject, settings_of(256, 256), {});
  ASSERT_EQ(measured.edges.size(), 10U);
  int shares = 0;
  for (std::size_t i = 0; i < writers.size(); ++i) {
    const double taken = covariance(subject, i);
    double repaired = 0;
    for (std::size_t j = i + 1; j < writers.size(); ++j) {
      const double expected = -subject.effects().reaction(j, i) * taken;
      const GraphEdge& edge = edge_of(measured, writers[i].name, writers[j].name, "knock_out");
      EXPECT_NEAR(edge.value, expected, 0.01 * std::abs(expected) + 1e-12) << edge.from << " " << edge.to;
      EXPECT_EQ(edge.samples, 256);
      repaired += expected;
    }
    const Json& details = measured.details["writers"][i];
    EXPECT_NEAR(details["removed"].get<double>(), taken, 1e-10);
    const bool above_noise = std::abs(taken) > 2 * details["removed_error"].get<double>();
    ASSERT_EQ(details["repaired_share"].is_null(), !above_noise) << writers[i].name;
    if (!above_noise) continue;
    EXPECT_NEAR(details["repaired_share"].get<double>(), repaired / taken, 1e-10);
    ++shares;
  }
  EXPECT_GE(shares, 3);
  EXPECT_GT(edge_of(measured, "embedding", "0.feed_forward", "knock_out").value, 0);  // a negative response is repair
}

TEST(CompensationKnockOut, ErrorsAndOwnEffectsAreThoseOverSequences) {
  TargetedSubject subject({2, 4, 64});
  plant(subject);
  const Measurement measured = measure_knock_out(subject, settings_of(64, 64), {});
  std::vector<int64_t> all(64);
  std::iota(all.begin(), all.end(), 0);
  const Tensor clean = subject.direct_effects(std::nullopt, all), ablated = subject.direct_effects(0, all);
  const double error = (ablated[2] - clean[2]).std().item<double>() / 8;
  EXPECT_NEAR(edge_of(measured, "embedding", "0.feed_forward", "knock_out").standard_error, error, 1e-12);
  EXPECT_NEAR(measured.details["writers"][1]["own_effect"].get<double>(), clean[1].mean().item<double>(), 1e-12);
}

TEST(CompensationKnockOut, ReadsMoreUntilItIsPreciseOrSaysSo) {
  TargetedSubject subject({2, 4, 256});
  plant(subject);
  const Measurement measured = measure_knock_out(subject, settings_of(32, 200), {});
  EXPECT_EQ(subject.examples_read, 6 * 192);  // whole chunks, clean and five ablations
  EXPECT_EQ(measured.edges[0].samples, 192);
  ASSERT_EQ(measured.notes.size(), 1U);
  EXPECT_NE(measured.notes[0].find("precision 0.02 needs about"), std::string::npos) << measured.notes[0];
  CompensationSettings rough = settings_of(32, 200);
  rough.precision = 0.9;
  TargetedSubject content({2, 4, 256});
  plant(content);
  EXPECT_TRUE(measure_knock_out(content, rough, {}).notes.empty());
  EXPECT_EQ(content.examples_read, 6 * 32);
}

TEST(CompensationKnockOut, SharesOfNothingAreUndefined) {
  TargetedSubject subject({2, 4, 32});
  subject.targets = at::ones({32}, at::kDouble);  // the mean is as good as what it replaces
  const Measurement measured = measure_knock_out(subject, settings_of(32, 32), {});
  EXPECT_TRUE(measured.details["writers"][0]["repaired_share"].is_null());
  EXPECT_EQ(measured.edges.size(), 10U);
  ASSERT_EQ(measured.notes.size(), 1U);
  EXPECT_NE(measured.notes[0].find("No edge is above its noise"), std::string::npos);
}

TEST(CompensationKnockOut, IsResumedBitForBit) {
  expect_resumes(
      [] {
        TargetedSubject subject({2, 4, 256});
        plant(subject);
        return subject;
      },
      [](Subject& subject, const MeasureContext& context) {
        return measure_knock_out(subject, settings_of(32, 128), context);
      },
      9);
}

}  // namespace
}  // namespace absorb
