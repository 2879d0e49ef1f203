#include <gtest/gtest.h>

#include "core/error.h"
#include "tests/compensation/folder.h"
#include "tests/compensation/measures/recovery_layers.h"

namespace absorb {
namespace {

TEST(CompensationRecoverySample, GrowsUntilItIsPrecise) {
  LinearSubject subject({.sequences = 256, .noise = 0.5, .paired = false});
  subject.goal_at_distance(0);
  CompensationSettings settings = settings_of({2}, {12});
  settings.sequences = 16;
  settings.draws = 1;
  settings.precision = 1;
  EXPECT_EQ(recovery_of_layer(subject, settings, 1).sequences, 16);
  settings.precision = 1e-3;
  settings.most_sequences = 150;
  const Measurement measurement = measure_recovery(subject, settings, layer(1));
  EXPECT_EQ(recovery_results(measurement).at(0).sequences, 128);
  EXPECT_NE(measurement.notes.at(0).find("sequences instead of 128"), std::string::npos) << measurement.notes.at(0);
  for (auto& row : subject.noise()) row.assign(subject.outputs(), 0.0);
  settings.draws = 3;  // they differ by what no sequence can tell
  const Measurement draws = measure_recovery(subject, settings, layer(1));
  EXPECT_EQ(recovery_results(draws).at(0).sequences, 16);
  EXPECT_NE(draws.notes.at(0).find("draws instead of 3"), std::string::npos) << draws.notes.at(0);
}

TEST(CompensationRecoveryCache, GoesOnAfterAKillWithTheSameBits) {
  const CompensationSettings settings = settings_of({2, 5}, {12, 0});
  LinearSubject whole({.layers = 1});
  whole.goal_at_distance(0.5);
  const Measurement expected = measure_recovery(whole, settings, {});
  for (int64_t calls : {int64_t{0}, int64_t{4}, int64_t{17}, whole.calls() - 1}) {
    const Folder folder;
    MeasureContext context;
    context.cache = folder.path();
    LinearSubject killed({.layers = 1});
    killed.goal_at_distance(0.5);
    killed.stop_after(calls);
    EXPECT_THROW(measure_recovery(killed, settings, context), std::runtime_error) << calls;
    killed.stop_after(-1);
    const Measurement resumed = measure_recovery(killed, settings, context);
    EXPECT_EQ(killed.calls(), whole.calls()) << calls;
    EXPECT_EQ(resumed.details.dump(), expected.details.dump());
    EXPECT_EQ(resumed.identity, expected.identity);
    ASSERT_EQ(resumed.edges.size(), expected.edges.size());
    for (std::size_t e = 0; e < expected.edges.size(); ++e) {
      EXPECT_EQ(resumed.edges[e].to, expected.edges[e].to);
      EXPECT_EQ(resumed.edges[e].value, expected.edges[e].value);
      EXPECT_EQ(resumed.edges[e].standard_error, expected.edges[e].standard_error);
    }
  }
}

TEST(CompensationRecoveryCache, KnowsWhatItDependsOn) {
  const Folder folder;
  MeasureContext context;
  context.cache = folder.path();
  CompensationSettings settings = settings_of({5}, {0});
  settings.draws = 1;
  settings.damage = 0;
  LinearSubject subject({.layers = 1});
  std::string identity;
  const auto adaptations = [&](const auto& change) {
    change();
    const int64_t before = subject.adaptations();
    const Measurement measurement = measure_recovery(subject, settings, context);
    if (subject.adaptations() == before) {
      EXPECT_EQ(measurement.seconds, 0);
      EXPECT_EQ(measurement.identity, identity);
    } else {
      EXPECT_NE(measurement.identity, identity);
    }
    identity = measurement.identity;
    return subject.adaptations() - before;
  };
  const int64_t all = adaptations([] {});
  EXPECT_EQ(all, 9 * 2);  // of 12 groups one is empty, and downstream, cross and final are the same
  EXPECT_EQ(adaptations([] {}), 0);
  EXPECT_EQ(adaptations([&] { settings.draws = 2; }), all / 2);
  settings.draws = 1;
  EXPECT_EQ(adaptations([&] { settings.steps = {6}; }), all);
  EXPECT_EQ(adaptations([&] { settings.dimensions = {3}; }), all);
  EXPECT_EQ(adaptations([&] { settings.sequences = 4; }), all);
  EXPECT_EQ(adaptations([&] { settings.damage = 1; }), all / 2);
  EXPECT_EQ(adaptations([&] { settings.random_partitions = 1; }), 7 * 2);
  settings.random_partitions = 0;
  EXPECT_EQ(adaptations([&] { subject.rename("other weights"); }), all);
}

TEST(CompensationRecoveryProgress, CountsToItsTotal) {
  LinearSubject subject({}, 0.003);
  subject.goal_at_distance(0);
  MeasureContext context;
  int64_t last = 0, whole = 0;
  context.progress = [&](std::string_view next, int64_t done, int64_t total) {
    EXPECT_NE(next.find("attention_router"), std::string::npos);
    EXPECT_TRUE(done == last || done == last + 1) << next;
    EXPECT_TRUE(whole == 0 || total == whole);
    last = done;
    whole = total;
  };
  measure_recovery(subject, settings_of({1}, {12, 0}), context);
  EXPECT_EQ(last, whole - 1);
  last = whole = 0;
  CompensationSettings partitions = settings_of({1}, {12});
  partitions.random_partitions = 2;
  partitions.damage_doublings = 1;
  measure_recovery(subject, partitions, context);
  EXPECT_EQ(last, whole - 1);
  context.progress = [](std::string_view, int64_t done, int64_t) {
    if (done == 5) throw std::runtime_error("stopped");
  };
  EXPECT_THROW(measure_recovery(subject, settings_of({1}, {12, 0}), context), std::runtime_error);
}

std::string message(LinearSubject& subject, const CompensationSettings& settings, const MeasureContext& context) {
  try {
    measure_recovery(subject, settings, context);
  } catch (const UserError& error) {
    return error.what();
  }
  return "";
}

TEST(CompensationRecoveryErrors, SayWhatIsThere) {
  LinearSubject subject({.layers = 2});
  EXPECT_EQ(message(subject, settings_of({1}, {12}), layer(7)), "there is no layer 7; the run has 0, 1");
  EXPECT_EQ(message(subject, settings_of({5, 5}, {12}), {}), "compensation.steps must be numbers that rise, got [5,5]");
  EXPECT_NE(message(subject, settings_of({}, {12}), {}), "");
  EXPECT_NE(message(subject, settings_of({1}, {}), {}), "");
}

}  // namespace
}  // namespace absorb
