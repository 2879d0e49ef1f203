#include "studies/report/text/diff.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "core/error.h"
#include "statistics/documents.h"
#include "studies/analysis/wording.h"
#include "tests/studies/synthetic_folder.h"

namespace absorb {
namespace {

class StudiesDiff : public testing::Test {
 protected:
  StudiesDiff() { std::filesystem::create_directories(folder); }
  ~StudiesDiff() override { std::filesystem::remove_all(folder); }

  /// A finished run on disk, read back. `shift` is added to its loss, whole and by document.
  RunRecord run(const std::string& study, const std::string& arm, int64_t seed, double shift = 0, int64_t steps = 100) {
    RunRecord record = synthetic::routed(arm, "attention", seed, 1.5 + 0.01 * static_cast<double>(seed) + shift, 0.2);
    synthetic::dress(record, static_cast<double>(seed));
    record.folder = folder / study / (arm + ".attention") / ("seed-" + std::to_string(seed));
    synthetic::write_run(record, {{"target", "attention"},
                                  {"seed", seed},
                                  {"training", {{"steps", steps}}},
                                  {"routing", {{"attention", {{"frozen", arm == "random"}}}}}});
    return read_record(record.folder);
  }

  Path folder = std::filesystem::temp_directory_path() / ("absorb-diff-" + std::to_string(::getpid()));
};

void expect_holds(const std::string& text, const std::string& words) {
  EXPECT_NE(text.find(words), std::string::npos) << "expected: " << words << "\ngot: " << text;
}

TEST_F(StudiesDiff, TwoRunsInSettingsProvenanceAndLoss) {
  const RunRecord a = run("s", "learned", 1);
  RunRecord b = run("s", "random", 1, 0.25);
  b.provenance["commit"] = "feed";
  b.provenance["argv"] = {"another", "command"};
  b.provenance["seconds"] = 7;
  const std::string text = diff_runs(a, b);
  expect_holds(text, "SETTINGS, A -> B\n  routing.attention.frozen: false -> true\n\n");
  expect_holds(text, "PROVENANCE, A -> B\n  commit: \"0123456789abcdef0123456789abcdef01234567\" -> \"feed\"\n\n");
  expect_holds(text, "A 1.5100  B 1.7600  B - A +0.2500\n");
  // Every document of B costs 0.25 nats per token more: nothing varies over documents.
  expect_holds(text, "95 % interval over 60 documents [0.2500, 0.2500]");
  expect_holds(diff_runs(a, a), "SETTINGS: nothing differs\n\nPROVENANCE: nothing differs\n");
}

TEST_F(StudiesDiff, TheIntervalIsPairedOverDocuments) {
  const RunRecord a = run("s", "learned", 1), b = run("s", "learned", 2);
  std::vector<double> nats, tokens;
  for (size_t i = 0; i < a.documents.size(); ++i) {
    tokens.push_back(static_cast<double>(a.document_tokens[i]));
    nats.push_back((b.document_losses[i] - a.document_losses[i]) / tokens.back());
  }
  expect_holds(diff_runs(a, b), bracketed(document_interval_of_pair(nats, tokens).ci95));
  RunRecord other = b;
  other.documents.back() = 1000;
  expect_holds(diff_runs(a, other), "no interval: the runs were not evaluated on the same documents");
}

TEST_F(StudiesDiff, OnlyFinishedRunsHaveALoss) {
  const RunRecord a = run("s", "learned", 1);
  RunRecord b = run("s", "random", 1);
  std::filesystem::remove(b.folder / "DONE");
  write_file(b.folder / "FAILED", "the loss is NaN\n");
  try {
    diff_runs(a, read_record(b.folder));
    FAIL();
  } catch (const UserError& error) {
    expect_holds(error.what(), "random.attention/seed-1: isn't done (failed: the loss is NaN): only a finished run");
  }
}

TEST_F(StudiesDiff, TwoStudiesArePairedByArmTargetAndSeed) {
  StudyRuns a{"runs/a", {}}, b{"runs/b", {}};
  for (int64_t seed = 1; seed <= 3; ++seed) {
    a.records.push_back(run("a", "learned", seed));
    b.records.push_back(run("b", "learned", seed, 0.01 * static_cast<double>(seed), 200));
    a.records.push_back(run("a", "random", seed));
    b.records.push_back(run("b", "random", seed, -0.5, seed == 2 ? 300 : 100));
  }
  a.records.back().state = "interrupted";
  b.records.push_back(run("b", "late", 1));
  const std::string text = diff_studies(a, b);
  expect_holds(text,
               "SETTINGS, A -> B\n  training.steps: 100 -> 200 (learned.attention)\n"
               "  training.steps: 100 -> 300 (random.attention)\n\nPROVENANCE: nothing differs\n");
  // Differences 0.01, 0.02, 0.03: mean 0.02, sd 0.01, t(0.975, 2) = 4.302653.
  expect_holds(text, "attention  learned  3  1.5200  1.5400  +0.0200  [-0.0048, 0.0448]\n");
  expect_holds(text, "attention  random   2  1.5150  1.0150  -0.5000  [-0.5000, -0.5000]\n");
  expect_holds(text,
               "LEFT OUT, not done in both\n  random.attention: seed 3 (A: interrupted, B: done)\n"
               "  late.attention: seed 1 (A: not planned, B: done)\n");
  EXPECT_EQ(text.find("NOTE"), std::string::npos);
}

TEST_F(StudiesDiff, TwoStudiesOnOtherTextOrWithoutAPair) {
  StudyRuns a{"runs/a", {run("a", "learned", 1)}}, b{"runs/b", {run("b", "learned", 1)}};
  b.records[0].document_tokens[0] += 1;
  expect_holds(diff_studies(a, b), "NOTE: A and B were not evaluated on the same documents");
  b.records[0].state = "waiting";
  try {
    diff_studies(a, b);
    FAIL();
  } catch (const UserError& error) {
    expect_holds(error.what(), "runs/a and runs/b: no arm, target and seed is done in both");
  }
}

}  // namespace
}  // namespace absorb
