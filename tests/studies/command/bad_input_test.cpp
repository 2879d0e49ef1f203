// Whatever a user gets wrong is one line on standard error, exit status 2, and nothing written.
#include <fmt/format.h>

#include "tests/studies/command/command_fixture.h"

namespace absorb {
namespace {

class StudyBadInput : public testing::CommandTest {
 protected:
  void expect_refused(const testing::Result& result, const std::string& words) const {
    EXPECT_EQ(result.status, 2) << words << '\n' << result.err;
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
    EXPECT_NE(result.err.find(words), std::string::npos) << "expected: " << words << "\ngot: " << result.err;
    EXPECT_FALSE(std::filesystem::exists(folder / "runs")) << words;
  }
  void refused(const std::string& extra, const std::string& words, const std::string& head = "seeds = [1]") const {
    expect_refused(run(run_arguments(study(extra, head))), words);
  }
  /// In a study with these targets, match and seeds.
  void refused_in(const std::string& head, const std::string& extra, const std::string& words) const {
    const Path file = study(extra, "@");
    std::string text = read_file(file);
    const std::string own = "targets = [\"attention\"]\n";
    text.replace(text.find(own), own.size(), "");
    text.replace(text.find('@'), 1, head);
    write_file(file, text);
    expect_refused(run(run_arguments(file)), words);
  }
  void refused_set(const std::string& set, const std::string& words) const {
    expect_refused(run(run_arguments(study("", "seeds = [1]"), "runs", {"--set", set})), words);
  }
};

TEST_F(StudyBadInput, Settings) {
  refused("[[arm]]\nname = \"c\"\nrouting.frozne = true\n",
          "study.toml:36:9: unknown key `frozne`; did you mean `frozen`?");
  refused_set("training.steps=many", "`steps` must be a whole number but got \"many\"");
  refused_set("training.learning_rate=1000", "must be in [0, 100] but got 1000");
  refused_set("routing.router.type=bilinaer",
              "unknown router \"bilinaer\" (did you mean \"bilinear\"?); known: bilinear");
  refused_set("routing.selection.k=33", "selection.k = 33 is above the number of keys, 32");
  refused_set("model.heads=5", "model.width = 32 is not divisible by model.heads = 5");
  refused_set("trainign.steps=3", "unknown table `trainign`; did you mean `training`?");
  refused("[broken", "study.toml:34:");
}

TEST_F(StudyBadInput, Studies) {
  refused("[[arm]]\nname = \"learned\"\n", "arm \"learned\" is repeated");
  refused("", "seed 3 is repeated", "seeds = [3, 3]");
  refused("", "no seeds", "");
  refused("[[contrast]]\nname = \"c\"\ntreatment = \"lerned\"\ncontrol = \"random\"\n",
          "names no arm: \"lerned\"; arms: dense, learned, random");
  refused("[[arm]]\nname = \"c\"\nrouting.moments_of = \"nobody\"\n", "is no arm");
  refused("[[arm]]\nname = \"c\"\nrouting.moments_of = 3\n", "must be a string");
  expect_refused(run({"run", (folder / "absent.toml").string()}), "absent.toml: there is no such study file");
  expect_refused(run({"run"}), "STUDY is required");
  std::filesystem::create_directories(folder / "empty");
  expect_refused(run({"report", (folder / "empty").string()}), "is no study's folder");
  expect_refused(run({"list", "rooters"}), "takes routers, selections, losses, data, measures, settings or folder");
}

TEST_F(StudyBadInput, AxesWhoseCellsWouldBeTakenForOne) {
  const std::string axis = "[[axis]]\nkey = \"routing.router.rank\"\n";
  refused(axis + "values = [1, 2]\nlabels = [\"x\", \"x\"]\n", "study.toml:37:1: two values are called \"x\"");
  refused("[[axis]]\nkey = \"routing.attention.apply\"\nvalues = [\"1\", 1]\n", "two values are called \"1\"");
  refused(axis + "values = [1, 2]\n" + axis + "values = [3, 4]\n", "two axes set `routing.router.rank`");
  refused(axis + "values = [1]\nlabels = [\"" + std::string(300, 'x') + "\"]\n", "give the axes shorter `labels`");
}

TEST_F(StudyBadInput, WhatWouldFallOutInSilence) {
  const std::string moe = "[[arm]]\nname = \"m\"\ntargets = [\"moe\"]\nrouting.selection = { type = \"soft\" }\n";
  const std::string both_targets = "seeds = [1]\ntargets = [\"attention\", \"moe\"]";
  const std::string apart = "[[arm]]\nname = \"a\"\ntargets = [\"attention\"]\n" + moe;
  const auto contrast = [](const std::string& more) {
    return "[[contrast]]\nname = \"c\"\ntreatment = \"a\"\ncontrol = \"m\"\n" + more;
  };
  refused(moe,
          "study.toml:36:1: arm \"m\" asks for target \"moe\", which the study doesn't run; study.targets: attention");
  refused_in(both_targets, apart + contrast("primary = true\n"),
             "contrast \"c\" has no target: a runs in attention, m in moe");
  const std::string swap = "[[deployment]]\nname = \"d\"\nrandom = 1\n";
  refused(swap + "targets = [\"both\"]\n", "deployment \"d\" asks for target \"both\", which the study doesn't run");
  refused(swap + "arms = [\"dense\"]\n", "deployment \"d\": the dense arm has no routers to replace; leave it out");
  refused_in(both_targets, apart + swap + "arms = [\"a\"]\ntargets = [\"attention\", \"moe\"]\n",
             "deployment \"d\" would leave target \"moe\" out: none of its arms runs there");
  refused_in(both_targets, apart + swap + "arms = [\"a\", \"m\"]\ntargets = [\"attention\"]\n",
             "deployment \"d\" would leave arm \"m\" out, which runs in moe");
  refused(swap +
              "arms = [\"learned\"]\n[[contrast]]\nname = \"c\"\ntreatment = \"learned\"\ncontrol = \"random\"\n"
              "deployment = \"d\"\n",
          "contrast \"c\": deployment \"d\" leaves arm \"random\" out");
  refused("[compensation]\npaired = \"rondam\"\n",
          "study.toml:35:1: compensation.paired names no routed arm: \"rondam\"; arms: learned, random");
  refused("[compensation]\nsame = \"dense\"\n", "compensation.same names no routed arm: \"dense\"");
}

TEST_F(StudyBadInput, Data) {
  const auto data = [&](const std::vector<std::string>& sets, const std::string& words) {
    std::vector<std::string> more;
    for (const std::string& set : sets) {
      more.push_back("--set");
      more.push_back(set);
    }
    expect_refused(run(run_arguments(study("", "seeds = [1]"), "runs", more)), words);
  };
  const std::string missing = (folder / "absent.txt").string(), empty = (folder / "empty.txt").string();
  data({"data.type=text", fmt::format("data.corpus={}", missing)}, "absent.txt");
  std::ofstream(empty).put('\n');
  data({"data.type=text", fmt::format("data.corpus={}", empty),
        fmt::format("data.cache={}", (folder / "cache").string())},
       "empty.txt");
  const std::string bad = (folder / "bad.jsonl").string();
  std::ofstream(bad) << "{\"text\": \"fine\"}\n{\"text\": \"\xff\xfe\"}\n";
  data(
      {"data.type=text", fmt::format("data.corpus={}", bad), fmt::format("data.cache={}", (folder / "cache").string())},
      "bad.jsonl:2");
  const std::string tokens = (folder / "t.bin").string();
  std::ofstream(tokens, std::ios::binary) << std::string(4000, '\x7f');
  data({"data.type=tokens", fmt::format("data.train={}", tokens), fmt::format("data.valid={}", tokens),
        "data.vocabulary=100"},
       "beyond the vocabulary of 100");
}

TEST_F(StudyBadInput, ChangedSettingsUnderAnExistingRun) {
  const Path file = study("", "seeds = [1]", 10);
  ASSERT_EQ(run(run_arguments(file)).status, 0);
  const auto changed = run(run_arguments(file, "runs", {"--set", "training.learning_rate=0.01"}));
  EXPECT_EQ(changed.status, 2);
  EXPECT_NE(changed.err.find("training.learning_rate: 0.001 -> 0.01"), std::string::npos) << changed.err;
  EXPECT_EQ(std::count(changed.err.begin(), changed.err.end(), '\n'), 1);
}

TEST_F(StudyBadInput, ChoicesThatContradictThemselves) {
  const auto arm = [](const std::string& routing) { return "[[arm]]\nname = \"c\"\n" + routing; };
  refused(arm("routing.choose.redraw_every = 1\n"), "say routing.frozen = true");
  refused(arm("routing.choose.lag = 1\nrouting.frozen = true\n"), "a frozen router never was another");
  refused(arm("routing.selection = { type = \"soft\" }\nrouting.choose.lag = 1\n"), "keeps every choice");
  refused(arm("routing.selection = { type = \"soft\" }\nrouting.weigh = { type = \"linear\" }\n"),
          "keeps every choice");
  refused(arm("routing.weigh = { type = \"lienar\" }\n"), "did you mean \"linear\"?");
  refused(arm("routing.choose.redraw = 1\n"), "unknown key `redraw`; known here: lag, redraw_every");
  refused_set("data.order=random", "windows, permuted");
  refused_set("routing.swap_draws=0", "must be in [1, 1000] but got 0");
}

TEST_F(StudyBadInput, ClaimsAndSharesThatNameNoRow) {
  const std::string claim = "[[claim]]\nsays = \"x\"\n";
  refused(claim + "contrast = \"nobody\"\n", "there is no contrast \"nobody\"; contrasts: gap");
  refused(claim + "contrast = \"gap\"\n", "where = \"severity\", and the study's targets are attention");
  refused(claim + "contrast = \"gap\"\nwhere = \"attention\"\n", "has no `redrawn` arm, so that there is no S");
  refused(claim + "contrast = \"gap\"\nwhere = \"attention\"\nquantity = \"G\"\n", "S, V_stable, gap, R, R_net");
  refused("[[claim]]\ncontrast = \"gap\"\n", "needs a sentence");
  const std::string contrast = "[[contrast]]\nname = \"c\"\ntreatment = \"learned\"\ncontrol = \"random\"\n";
  refused(contrast + "redrawn = \"redarwn\"\n", "its redrawn arm names no routed arm: \"redarwn\"");
  refused(contrast + "redrawn = \"random\"\n", "needs three arms");
}

TEST_F(StudyBadInput, FoldersThatCannotBeWritten) {
  std::ofstream(folder / "file") << "x";
  const auto result =
      run({"run", study("", "seeds = [1]").string(), "--runs", (folder / "file/runs").string(), "--device", "cpu"});
  EXPECT_EQ(result.status, 2) << result.err;
  EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
}

TEST_F(StudyBadInput, TooLittleDisk) {
  const Path file = study("", "seeds = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20]");
  expect_refused(run(run_arguments(file, "runs", {"--set", "training.steps=100000000"})), "MB are free");
}

TEST_F(StudyBadInput, JobsThatAreNoNumberAboveZero) {
  for (const char* jobs : {"0", "-1", "2.5", "many", ""})
    expect_refused(
        run({"run", study("", "seeds = [1]").string(), "--runs", (folder / "runs").string(), "--jobs", jobs}),
        "--jobs: must be auto or a number above 0 but got");
  EXPECT_EQ(run({"run", study("", "seeds = [1]").string(), "--jobs", "auto", "--dry-run"}).status, 0);
}

TEST_F(StudyBadInput, CudaThatIsNotThere) {
  const auto result =
      run({"run", study("", "seeds = [1]").string(), "--runs", (folder / "runs").string(), "--device", "cuda"});
  if (result.status == 0) GTEST_SKIP() << "this machine has a GPU";
  expect_refused(result, "--device cuda can't be used: ");
}

}  // namespace
}  // namespace absorb
