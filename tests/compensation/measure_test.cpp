#include "compensation/measure.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "compensation/recovery_file.h"
#include "core/error.h"
#include "tests/compensation/linear_subject.h"

namespace absorb {
namespace {

RecoverySettings settings_of(int64_t steps) {
  RecoverySettings settings;
  settings.steps = steps;
  settings.held_out_sequences = 8;
  return settings;
}

const Recovery& recovery(const RecoveryResult& result, const std::string& group) {
  for (const Recovery& one : result.groups)
    if (one.group.name == group) return one;
  throw std::runtime_error("no group " + group);
}

/// A folder of this test alone, removed with it.
class Folder {
 public:
  Folder() : path_(Path(testing::TempDir()) / testing::UnitTest::GetInstance()->current_test_info()->name()) {
    std::filesystem::remove_all(path_);
    std::filesystem::create_directories(path_);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  const Path& path() const { return path_; }

 private:
  Path path_;
};

class CompensationMeasure : public testing::TestWithParam<Part> {};

TEST_P(CompensationMeasure, AgreesWithTheClosedForm) {
  LinearSubject subject({.router = GetParam()});
  subject.goal_at_distance(0.5);  // further training gains something: the second bracket counts
  for (int64_t layer = 0; layer < subject.layers(); ++layer) {
    const RecoveryResult result = measure_recovery(subject, subject.router(layer), settings_of(10));
    EXPECT_EQ(result.groups.size(), 11U + 3 + 1);
    EXPECT_EQ(result.held_out_tokens, 8 * 16);
    EXPECT_TRUE(result.diverged.empty());
    for (const Recovery& one : result.groups) {
      const std::set<Component> trained(one.group.components.begin(), one.group.components.end());
      const double expected = subject.recovery(result.router, 2, trained, 10);
      EXPECT_NEAR(one.measured.value, expected, 0.01 * std::abs(expected)) << layer << " " << one.group.name;
      EXPECT_EQ(trained.empty(), expected == 0);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Routers, CompensationMeasure, testing::Values(Part::attention_router, Part::expert_router));

TEST(CompensationMeasureShare, ShapleyPartsSumToAll) {
  LinearSubject subject({});
  subject.goal_at_distance(0.5);
  const RecoveryResult result = measure_recovery(subject, subject.router(2), settings_of(10));
  const CrossLayerShare& share = result.share;
  ASSERT_TRUE(share.share) << share.undefined;
  EXPECT_NEAR(share.module.value + share.rest.value + share.cross.value, share.all.value,
              1e-13 * std::abs(share.all.value));
  EXPECT_EQ(share.all.value, recovery(result, "all").measured.value);
  EXPECT_GT(*share.share, 0);
  EXPECT_LT(*share.share, 1);
}

TEST(CompensationMeasureShare, BlockDiagonalHasExactlyNone) {
  LinearSubject subject({});
  for (int64_t layer = 0; layer < subject.layers(); ++layer) subject.gain()[subject.router(layer)].assign(4, 1.0);
  make_block_diagonal(subject);
  subject.goal_at_distance(0);
  for (int64_t layer = 0; layer < subject.layers(); ++layer) {
    const RecoveryResult result = measure_recovery(subject, subject.router(layer), settings_of(20));
    ASSERT_TRUE(result.share.share) << result.share.undefined;
    EXPECT_EQ(*result.share.share, 0.0);
    EXPECT_GT(recovery(result, "module").measured.value, 0.1);
    EXPECT_EQ(recovery(result, "cross").measured.value, 0.0);
  }
  subject.goal_at_distance(0.5);  // the other layers go on learning, which the second bracket takes off again
  const RecoveryResult result = measure_recovery(subject, subject.router(1), settings_of(20));
  ASSERT_TRUE(result.share.share) << result.share.undefined;
  EXPECT_NEAR(*result.share.share, 0, 1e-13);
}

TEST(CompensationMeasureShare, PlantedRedundancyIsTheStrongestEdge) {
  LinearSubject subject({.outputs = 5});
  make_block_diagonal(subject);
  for (auto& [component, gain] : subject.gain())
    for (double& number : gain) number = number == 0 ? 0.05 : component.part == Part::attention_router ? 1 : 0.3;
  subject.gain()[{3, Part::v, 0}][1] = 2;  // can do what layer 1 does
  subject.goal_at_distance(0);
  RunRecovery run{"learned", "attention", 1, {}};
  for (int64_t layer = 0; layer < subject.layers(); ++layer)
    run.results.push_back(measure_recovery(subject, subject.router(layer), settings_of(15)));
  const CompensationGraph graph = recovery_graph({&run, 1});
  const auto strongest = graph.strongest(2);
  EXPECT_EQ(strongest.at(0).from, "1.attention_router");
  EXPECT_EQ(strongest.at(0).to, "3.block");
  EXPECT_GT(strongest.at(0).value, 1.5 * strongest.at(1).value);
  const auto rows = graph.own_and_cross();
  ASSERT_EQ(rows.size(), 4U);
  EXPECT_GT(rows[1].share.value(), 0.6);
  EXPECT_LT(rows[0].share.value(), 0.5);
}

TEST(CompensationMeasureShare, AfterNoStepsNothingIsRecovered) {
  LinearSubject subject({});
  subject.goal_at_distance(0.5);
  const RecoveryResult result = measure_recovery(subject, subject.router(1), settings_of(0));
  EXPECT_GT(subject.adaptations(), 0);
  for (const Recovery& one : result.groups) {
    EXPECT_EQ(one.measured.value, 0.0) << one.group.name;
    EXPECT_EQ(one.measured.standard_error, 0.0) << one.group.name;
  }
  EXPECT_FALSE(result.share.share);
  EXPECT_NE(result.share.undefined.find("within its noise"), std::string::npos);
}

TEST(CompensationMeasureShare, UndefinedWhenTheSwapCostsNothing) {
  LinearSubject subject({});
  subject.gain()[subject.router(1)].assign(4, 0.0);
  const RecoveryResult result = measure_recovery(subject, subject.router(1), settings_of(10));
  EXPECT_EQ(result.swap_cost.value, 0.0);
  EXPECT_FALSE(result.share.share);
  EXPECT_NE(result.share.undefined.find("the swap costs 0.000000 nats"), std::string::npos) << result.share.undefined;
}

TEST(CompensationMeasureDiverged, IsNamedCountedAndLeftOut) {
  LinearSubject subject({});
  subject.gain()[{0, Part::q, 0}].assign(4, 20.0);  // rate * gain^2 = 8: every step makes it 7 times worse
  subject.goal_at_distance(1e-9);                   // ... from almost nothing where nothing is disturbed
  const RecoveryResult result = measure_recovery(subject, subject.router(0), settings_of(10));
  EXPECT_EQ(recovery(result, "module").measured.samples, 0);
  EXPECT_TRUE(std::isnan(recovery(result, "module").by_draw.at(1)));
  EXPECT_EQ(recovery(result, "block.2").measured.samples, 16);
  EXPECT_EQ(result.diverged.size(), 4U * 2);  // module, module+rest, module+cross, all
  EXPECT_EQ(result.diverged.at(0).group, "module");
  EXPECT_EQ(result.diverged.at(0).draw, 0);
  EXPECT_FALSE(result.share.share);
  EXPECT_EQ(result.share.undefined, "an adaptation diverged in every draw");
  const RunRecovery run{"learned", "attention", 1, {result}};
  for (const GraphEdge& edge : recovery_graph({&run, 1}).edges()) EXPECT_NE(edge.to, "0.q+k+v+o");
}

TEST(CompensationMeasureCache, GoesOnAfterAKillWithTheSameBits) {
  const Folder folder;
  RecoverySettings settings = settings_of(5);
  LinearSubject whole({});
  whole.goal_at_distance(0.5);
  const RecoveryResult expected = measure_recovery(whole, whole.router(1), settings);
  settings.cache = folder.path() / "cells";
  LinearSubject killed({});
  killed.goal_at_distance(0.5);
  killed.stop_after(7);
  EXPECT_THROW(measure_recovery(killed, killed.router(1), settings), std::runtime_error);
  killed.stop_after(-1);
  const RecoveryResult resumed = measure_recovery(killed, killed.router(1), settings);
  EXPECT_EQ(killed.adaptations(), whole.adaptations());
  save_recovery(folder.path() / "expected.json", {"learned", "attention", 1, {expected}});
  save_recovery(folder.path() / "resumed.json", {"learned", "attention", 1, {resumed}});
  EXPECT_EQ(read_file(folder.path() / "expected.json"), read_file(folder.path() / "resumed.json"));
}

TEST(CompensationMeasureCache, KnowsWhatItDependsOn) {
  const Folder folder;
  RecoverySettings settings = settings_of(5);
  settings.draws = 1;
  settings.cache = folder.path();
  LinearSubject subject({.layers = 1});
  const auto adaptations = [&](const auto& change) {
    change();
    const int64_t before = subject.adaptations();
    measure_recovery(subject, subject.router(0), settings);
    return subject.adaptations() - before;
  };
  const int64_t all = adaptations([] {});
  EXPECT_EQ(all, 9 * 2);  // of 12 groups one is empty, and downstream, cross and final are the same
  EXPECT_EQ(adaptations([] {}), 0);
  EXPECT_EQ(adaptations([&] { settings.draws = 2; }), all / 2);
  settings.draws = 1;
  EXPECT_EQ(adaptations([&] { settings.steps = 6; }), all);
  EXPECT_EQ(adaptations([&] { settings.held_out_sequences = 4; }), all);
  EXPECT_EQ(adaptations([&] { subject.rename("other weights"); }), all);
  for (const auto& file : std::filesystem::directory_iterator(folder.path()))
    std::ofstream(file.path()) << "{\"key\": 1";  // damaged: measured again
  EXPECT_EQ(adaptations([] {}), all);
  EXPECT_EQ(adaptations([] {}), 0);
}

TEST(CompensationMeasureHeldOut, IsSpreadEvenly) {
  LinearSubject subject({.layers = 1, .sequences = 10});
  RecoverySettings settings = settings_of(1);
  settings.held_out_sequences = 4;
  EXPECT_EQ(measure_recovery(subject, subject.router(0), settings).held_out_tokens, 4 * 16);
  EXPECT_EQ(subject.asked(), (std::vector<int64_t>{0, 2, 5, 7}));
}

TEST(CompensationMeasureProgress, CountsToItsTotal) {
  LinearSubject subject({});
  RecoverySettings settings = settings_of(1);
  int64_t calls = 0, last = -1, whole = 0;
  settings.progress = [&](std::string_view next, int64_t done, int64_t total) {
    EXPECT_NE(next.find("0.attention_router"), std::string::npos);
    EXPECT_EQ(done, last + 1);
    last = done;
    whole = total;
    ++calls;
  };
  measure_recovery(subject, subject.router(0), settings);
  EXPECT_EQ(calls, whole);
}

std::string message(const std::function<void()>& run) {
  try {
    run();
  } catch (const UserError& error) {
    return error.what();
  }
  return "";
}

TEST(CompensationMeasureErrors, SayWhatIsThere) {
  LinearSubject subject({.layers = 2});
  EXPECT_EQ(message([&] {
              measure_recovery(subject, {7, Part::attention_router, 0}, settings_of(1));
            }),
            "7.attention_router is no router of this run; it has 0.attention_router, 1.attention_router");
  RecoverySettings settings = settings_of(1);
  settings.held_out_sequences = 9;
  EXPECT_EQ(message([&] { measure_recovery(subject, subject.router(0), settings); }),
            "compensation held_out_sequences must be between 1 and the 8 that this run has, got 9");
  settings = settings_of(-1);
  EXPECT_NE(message([&] { measure_recovery(subject, subject.router(0), settings); }), "");
  settings = settings_of(1);
  settings.draws = 0;
  EXPECT_NE(message([&] { measure_recovery(subject, subject.router(0), settings); }), "");
}

TEST(CompensationRecoveryFile, ReadsBackWhatItWrote) {
  const Folder folder;
  LinearSubject subject({.router = Part::expert_router});
  subject.gain()[{0, Part::expert, 1}].assign(4, 20.0);
  const RecoveryResult result = measure_recovery(subject, subject.router(0), settings_of(10));
  EXPECT_FALSE(result.diverged.empty());
  const RunRecovery run{"learned", "moe", 3, {result, measure_recovery(subject, subject.router(2), settings_of(1))}};
  save_recovery(folder.path() / "a.json", run);
  const RunRecovery read = load_recovery(folder.path() / "a.json");
  save_recovery(folder.path() / "b.json", read);
  const std::string text = read_file(folder.path() / "a.json");
  EXPECT_EQ(text, read_file(folder.path() / "b.json"));
  EXPECT_NE(text.find("\"unmatched\""), std::string::npos);
  ASSERT_EQ(read.results.size(), 2U);
  EXPECT_EQ(read.results[1].router, subject.router(2));
  EXPECT_EQ(recovery(read.results[1], "all").measured.value, recovery(run.results[1], "all").measured.value);
  EXPECT_EQ(recovery(read.results[1], "embedding").group.components,
            recovery(run.results[1], "embedding").group.components);
}

TEST(CompensationRecoveryFile, AnotherVersionIsTheUsersError) {
  const Folder folder;
  const Path path = folder.path() / "a.json";
  const auto reading = [&](const std::string& text) {
    write_file(path, text);
    return message([&] { load_recovery(path); });
  };
  EXPECT_NE(reading(R"({"kind": "absorb recovery", "format": 9})").find("format 9"), std::string::npos);
  EXPECT_NE(reading(R"({"kind": "absorb recovery", "format": 1})").find("damaged"), std::string::npos);
  EXPECT_NE(reading(R"({"kind": 4})").find("no recovery file"), std::string::npos);
  EXPECT_NE(reading("[1,").find("no recovery file"), std::string::npos);
}

}  // namespace
}  // namespace absorb
