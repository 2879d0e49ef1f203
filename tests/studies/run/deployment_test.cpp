// Trained weights under other routings, from the command line: what must hold bit for bit, and what is refused.
#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "tests/studies/command/command_fixture.h"
#include "training/metrics.h"

namespace absorb {
namespace {

using Json = nlohmann::json;

class StudyDeployment : public testing::CommandTest {
 protected:
  Path study(const std::string& deployments, const std::string& arms = "") const {
    return three_targets(arms + deployments);
  }

  Json deployed(const std::string& run, const std::string& key) const {
    return Json::parse(read_file(folder / "runs/s" / run / "seed-1/deployments" / (key + ".json")));
  }
};

const std::string hard = R"(
[[deployment]]
name = "hard"
routing.attention.selection = { type = "top_k", k = 4, weight = "one" }
routing.moe.selection = { type = "top_k", k = 2 }
loop = "both"
hardening = true
)";

TEST_F(StudyDeployment, MeetsTheNativeLossAndTheHardOneBitForBit) {
  const Path file = study(hard + R"(
[[deployment]]
name = "transplant"
routes_of = "*"
[[deployment]]
name = "transplant_open"
routes_of = "learned"
loop = "open"
[[deployment]]
name = "early"
step = 10
[[deployment]]
name = "own"
routing.attention.router = { type = "own" }
routing.moe.router = { type = "own" }
routing.moe.allow_noncausal = true
routing.attention.selection = { type = "top_k", k = 4, weight = "one" }
routing.moe.selection = { type = "top_k", k = 2 }
[[deployment]]
name = "drawn"
random = 1
routing.attention.selection = { type = "top_k", k = 4, weight = "one" }
routing.moe.selection = { type = "top_k", k = 2 }
)");
  const auto done = run(run_arguments(file));
  ASSERT_EQ(done.status, 0) << done.err;
  for (const std::string target : {"attention", "moe", "both"}) {
    const std::string name = "learned." + target;
    const Json result = Json::parse(read_file(folder / "runs/s" / name / "seed-1/result.json"));
    const double native = result.at("val_loss");
    const Json found = deployed(name, "hard");
    ASSERT_EQ(found.at("hardening").size(), 3U);
    EXPECT_EQ(found.at("native"), native);
    EXPECT_EQ(found.at("hardening")[0], native);
    EXPECT_EQ(found.at("hardening")[2], found.at("closed"));
    EXPECT_NE(found.at("closed"), native);
    EXPECT_NE(found.at("closed"), found.at("open"));
    EXPECT_EQ(deployed(name, "transplant.learned").at("closed"), native);
    EXPECT_EQ(deployed(name, "transplant_open").at("open"), native);
    EXPECT_NE(deployed(name, "transplant.random").at("closed"), native);
    EXPECT_NE(deployed(name, "early").at("closed"), native);
    const Json own = deployed(name, "own").at("agreement");
    for (const auto& [kind, oracle] : own.items()) {
      EXPECT_NEAR(oracle.at("f1"), 1, 1e-12) << kind;
      EXPECT_NEAR(oracle.at("retained_mass"), oracle.at("oracle_mass"), 1e-9) << kind;
    }
    for (const char* key : {"hard", "drawn"}) {
      const Json agreement = deployed(name, key).at("agreement");
      for (const auto& [kind, other] : agreement.items()) {
        EXPECT_LT(other.at("f1"), 1) << kind;
        EXPECT_LT(other.at("retained_mass"), other.at("oracle_mass")) << kind << ' ' << key;
      }
    }
  }
  EXPECT_TRUE(deployed("learned.moe", "own").contains("gain_correlation"));
}

TEST_F(StudyDeployment, SaysWhatDecisionsKnowOfWhatHelpsTheNextSeed) {
  const std::string asked = R"(
[[deployment]]
name = "information"
information = true
routing.attention.selection = { type = "top_k", k = 4, weight = "one" }
routing.moe.selection = { type = "top_k", k = 2 }
)";
  const Path file = study(asked);
  const auto alone = run(run_arguments(file));
  EXPECT_EQ(alone.status, 2);
  EXPECT_NE(alone.err.find("the study has one seed"), std::string::npos) << alone.err;
  std::string text = read_file(file);
  text.replace(text.find("seeds = [1]"), 11, "seeds = [1, 2]");
  write_file(file, text);
  const auto done = run(run_arguments(file));
  ASSERT_EQ(done.status, 0) << done.err;
  for (const auto& [name, kind] : {std::pair{"learned.attention", "attention"}, {"random.moe", "moe"}}) {
    const Json decision = deployed(name, "information").at("information").at(kind).at("decision");
    EXPECT_GT(decision.at("n"), 100) << name;
    EXPECT_LE(decision.at("plug_in"), decision.at("label_entropy")) << name;
  }
  EXPECT_NE(done.out.find("Routing information, bits an observation"), std::string::npos) << done.out;
  const Json rows = Json::parse(read_file(folder / "runs/s/results.json")).at("deployments");
  EXPECT_TRUE(std::any_of(rows.begin(), rows.end(), [](const Json& row) {
    return row.at("information").contains("moe") && row.at("information").at("moe").at("n") == 2;
  }));
  text.replace(text.find("type = \"recall\""), 15, "type = \"rule\"");
  write_file(file, text);
  const auto another = run(run_arguments(file, "other"));
  EXPECT_EQ(another.status, 2);
  EXPECT_NE(another.err.find("no other run learned this one"), std::string::npos) << another.err;
}

TEST_F(StudyDeployment, ALaterOneLeavesFinishedRunsAlone) {
  ASSERT_EQ(run(run_arguments(study(""))).status, 0);
  const Path weights = folder / "runs/s/learned.moe/seed-1/weights.safetensors";
  const auto written = std::filesystem::last_write_time(weights);
  const std::string before = hash_hex(read_file(weights));
  const Path file = study(hard);
  ASSERT_EQ(run({"deploy", file.string(), "--runs", (folder / "runs").string(), "--device", "cpu"}).status, 0);
  EXPECT_EQ(std::filesystem::last_write_time(weights), written);
  EXPECT_EQ(hash_hex(read_file(weights)), before);
  EXPECT_TRUE(deployed("random.both", "hard").contains("closed"));
  const auto again = run({"deploy", file.string(), "--runs", (folder / "runs").string(), "--device", "cpu"});
  EXPECT_NE(again.out.find("0 deployments evaluated"), std::string::npos) << again.out;
  EXPECT_NE(again.out.find("DEPLOYMENTS"), std::string::npos);
  EXPECT_TRUE(std::filesystem::exists(folder / "runs/s/deployments.csv"));
}

TEST_F(StudyDeployment, ADistilledRouterLearnsItsLayersPreference) {
  const Path file = study("", R"(
[[arm]]
name = "always"
routing.selection = { type = "always" }
routing.frozen = true
[[arm]]
name = "distilled"
from = "always"
train = "routers"
reinitialise = ["*router*"]
routing.selection = { type = "always" }
routing.losses = { distill = 1.0 }
training.steps = 200
)");
  const auto done = run(run_arguments(file));
  ASSERT_EQ(done.status, 0) << done.err;
  for (const std::string target : {"attention", "moe"}) {
    const Path parent = folder / "runs/s" / ("always." + target) / "seed-1",
               child = folder / "runs/s" / ("distilled." + target) / "seed-1";
    double first = NAN, last = NAN;
    for (const Json& line : read_metrics(child / "metrics.jsonl"))
      if (line.contains("routing_loss")) {
        if (std::isnan(first)) first = line.at("routing_loss");
        last = line.at("routing_loss");
      }
    EXPECT_LT(last, first / (target == "attention" ? 10 : 1.2)) << target << ' ' << first;
    const auto loss = [](const Path& run) { return Json::parse(read_file(run / "result.json")).at("val_loss"); };
    EXPECT_EQ(loss(child), loss(parent)) << "the backbone is frozen, and nothing routes";
  }
}

TEST_F(StudyDeployment, RefusesWhatMakesNoSense) {
  const auto refused = [&](const std::string& deployments, const std::string& arms, const std::string& word) {
    const auto result = run(run_arguments(study(deployments, arms)));
    EXPECT_EQ(result.status, 2) << word;
    EXPECT_NE(result.err.find(word), std::string::npos) << result.err;
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
    EXPECT_FALSE(std::filesystem::exists(folder / "runs")) << word;
  };
  refused("", "[[arm]]\nname = \"a\"\nfrom = \"b\"\n[[arm]]\nname = \"b\"\nfrom = \"a\"\n", "waits for itself");
  refused("", "[[arm]]\nname = \"a\"\nfrom = \"lerned\"\n", "is no arm");
  refused("", "[[arm]]\nname = \"a\"\nfrom = \"learned\"\ntargets = [\"moe\"]\nreinitialise = [3]\n",
          "array of strings");
  refused("", "[[arm]]\nname = \"a\"\ntrain = \"router\"\n", "\"routers\"");
  refused("[[deployment]]\nname = \"t\"\nroutes_of = \"wide\"\narms = [\"learned\"]\n",
          "[[arm]]\nname = \"wide\"\nmodel.heads = 4\n", "can't stand in");
  refused("[[deployment]]\nname = \"t\"\nrouting.selection = { type = \"loss_free\" }\n", "", "keys need not be used");
  refused("[[deployment]]\nname = \"t\"\nstep = 11\n", "", "keep_weights");
  refused("[[deployment]]\nname = \"t\"\nroutes_of = \"learned\"\nseed = 7\n", "", "seed 7");
  refused("[[contrast]]\nname = \"c\"\ntreatment = \"learned\"\ncontrol = \"random\"\ndeployment = \"hrad\"\n", "",
          "hrad");
  const auto early = run({"deploy", study(hard).string(), "--runs", (folder / "runs").string(), "--device", "cpu"});
  EXPECT_EQ(early.status, 2);
  EXPECT_NE(early.err.find("isn't finished"), std::string::npos) << early.err;
}

}  // namespace
}  // namespace absorb
