// A model trained here, exported, asked of other text, and taken as the start of a study: as its user does it.
#include <nlohmann/json.hpp>

#include "core/safetensors.h"
#include "tests/studies/command/command_fixture.h"

namespace absorb {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

class StudyExchange : public testing::CommandTest {
 protected:
  StudyExchange() {
    std::ofstream text(folder / "text.txt");
    for (int i = 0; i < 900; ++i)
      text << "the " << (i * 37 % 101) << " cats sat on mat " << (i * 11 % 17) << (i % 7 ? " and" : ".\n\n");
    std::ofstream(folder / "other.txt") << "On 12 mats the cats sat and sat.\n";
    std::ofstream pairs(folder / "agreement.jsonl");
    for (const char* noun : {"cats", "mats", "rats"})
      pairs << Json{{"sentence_good", std::string("the ") + noun + " sat"},
                    {"sentence_bad", std::string("zq# ") + noun + " }x~"}}
                   .dump()
            << '\n';
  }
  Path written(const std::string& name, const std::string& model, const std::string& rest) const {
    const Path file = folder / (name + ".toml");
    std::ofstream(file)
        << "[study]\nname = \"" << name << "\"\ntargets = [\"attention\"]\nmatch = \"none\"\nseeds = [1, 2]\n"
        << "[data]\ncorpus = \"" << (folder / "text.txt").string() << "\"\ncache = \"" << (folder / "cache").string()
        << "\"\nvalid_share = 0.2\n[model]\n"
        << model
        << "[training]\nsteps = 12\nbatch = 4\nwarmup = 2\nlearning_rate = 1e-2\n"
           "[routing]\nswap_draws = 2\nrouter = { type = \"bilinear\", rank = 4 }\nselection = { type = "
           "\"top_k\", k = 4, weight = \"sigmoid\", gradient = \"straight_through\" }\n"
        << rest << "[[contrast]]\nname = \"gap\"\ntreatment = \"learned\"\ncontrol = \"random\"\nprimary = true\n";
    return file;
  }
  Path first() const {
    return written("first", R"(layers = 2
width = 16
heads = 2
context = 32
norm = "rms"
position = "rope"
activation = "swiglu"
biases = false
attention = { kv_heads = 1, qk_norm = "head" }
)",
                   "[[arm]]\nname = \"learned\"\n[[arm]]\nname = \"random\"\nrouting.frozen = true\n"
                   "[[contrast]]\nname = \"price\"\ntreatment = \"dense\"\ncontrol = \"learned\"\n");
  }
  Path second() const {
    return written(
        "second", "from = \"" + (folder / "hf").string() + "\"\ncontext = 24\n",
        "[[arm]]\nname = \"learned\"\ntrain = [\"*.router.*\"]\n[[arm]]\nname = \"random\"\nrouting.frozen = "
        "true\n");
  }
  Json evaluated(const std::vector<std::string>& what) const {
    std::vector<std::string> line = {"evaluate"};
    line.insert(line.end(), what.begin(), what.end());
    const std::string json = (folder / "result.json").string();
    for (const std::string& more : {std::string("--device"), std::string("cpu"), std::string("--json"), json})
      line.push_back(more);
    const auto result = run(line);
    EXPECT_EQ(result.status, 0) << result.err;
    return result.status == 0 ? Json::parse(read_file(json)) : Json::array();
  }
  void refuses(const std::vector<std::string>& line, const std::string& words) const {
    const auto result = run(line);
    EXPECT_EQ(result.status, 2) << result.out;
    EXPECT_NE(result.err.find(words), std::string::npos) << "expected: " << words << "\ngot: " << result.err;
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
  }
};

TEST_F(StudyExchange, TrainedExportedAskedAndGated) {
  ASSERT_EQ(run(run_arguments(first())).status, 0) << read_file(folder / "stderr");
  const std::string hf = (folder / "hf").string(), dense = (folder / "runs/first/dense/seed-1").string(),
                    other = (folder / "other.txt").string();
  const auto out = run({"export", dense, hf});
  ASSERT_EQ(out.status, 0) << out.err;
  EXPECT_NE(out.out.find("qwen3 in 1 file"), std::string::npos) << out.out;

  // The run, the folder and what is imported of it say the same of another text.
  const std::string in = (folder / "in").string();
  ASSERT_EQ(run({"import", hf, in}).status, 0) << read_file(folder / "stderr");
  const Json same = evaluated({dense, hf, in, "--text", other, "--tokeniser", "bytes"});
  ASSERT_EQ(same.size(), 3U);
  EXPECT_EQ(same[0].at("tokens"), 33);  // 33 bytes and what ends a document, less the first
  EXPECT_EQ(same[0].at("loss"), same[1].at("loss"));
  EXPECT_EQ(same[0].at("loss"), same[2].at("loss"));

  // A study's arms, with its contrasts.
  const Json all =
      evaluated({(folder / "runs/first").string(), "--text", other, "--pairs", (folder / "agreement.jsonl").string()});
  EXPECT_EQ(all.size(), 2 * 6U);
  for (const Json& row : all)
    if (row.contains("accuracy")) EXPECT_EQ(row.at("accuracy"), 1.0) << row;
  const std::string printed = read_file(folder / "stdout");
  EXPECT_NE(printed.find("gap (attention)"), std::string::npos) << printed;
  EXPECT_NE(printed.find("price (attention)"), std::string::npos)
      << printed;  // the dense arm stands beside every target

  // A post-hoc gate on the folder's weights: these stay, the gate moves.
  const auto gated = run(run_arguments(second()));
  ASSERT_EQ(gated.status, 0) << gated.err;
  const auto weights = read_safetensors(folder / "runs/second/learned.attention/seed-1/weights.safetensors"),
             theirs = read_safetensors(folder / "hf/model.safetensors");
  EXPECT_TRUE(at::equal(weights.at("blocks.1.attention.k"), theirs.at("model.layers.1.self_attn.k_proj.weight")));
  EXPECT_TRUE(at::equal(weights.at("blocks.0.feed_forward.out").t(), theirs.at("model.layers.0.mlp.down_proj.weight")));
  EXPECT_TRUE(std::ranges::any_of(
      weights, [](const auto& named) { return named.first.starts_with("blocks.1.attention.router."); }));

  // Another folder under its name is another start.
  auto tensors = theirs;
  tensors.at("model.norm.weight").add_(0.5);
  write_safetensors(folder / "hf/model.safetensors", NamedTensors(tensors.begin(), tensors.end()));
  refuses(run_arguments(second()), "start.parent");
}

TEST_F(StudyExchange, WhatCanNotBeIsRefusedInOneLine) {
  ASSERT_EQ(run(run_arguments(first())).status, 0) << read_file(folder / "stderr");
  const std::string runs = (folder / "runs/first").string(), hf = (folder / "hf").string(),
                    other = (folder / "other.txt").string();
  refuses({"export", runs + "/learned.attention/seed-1", hf}, "transformers has no model with routed attention");
  refuses({"export", runs, hf}, "isn't finished");
  refuses({"evaluate", runs}, "say what to evaluate on: --text FILE");
  refuses({"evaluate", runs, "--text", "absent.txt"}, "absent.txt doesn't exist");
  refuses({"evaluate", folder.string(), "--text", other}, "holds neither settings.json");
  refuses({"evaluate", runs, "--pairs", other}, "other.txt:1: a pair is a JSON object");
  refuses({"evaluate", runs, "--text", other, "--tokeniser", folder.string()}, "so that it is no tokeniser");
  std::ofstream(folder / "one.txt") << "a";
  refuses({"evaluate", runs, "--text", (folder / "one.txt").string()}, "holds no text to speak of");
  ASSERT_EQ(run({"export", runs + "/dense/seed-1", hf}).status, 0);
  refuses({"export", runs + "/dense/seed-1", hf}, "exists: an export makes a new folder");
  refuses({"import", hf, runs}, "exists: an import makes a new folder");
  refuses({"evaluate", hf, "--text", other}, "name its tokeniser with --tokeniser");
  auto matched = run_arguments(second());
  matched.insert(matched.end(), {"--set", "study.match=parameters"});
  refuses(matched, "set study.match = \"none\"");
  auto wider = run_arguments(second());
  wider.insert(wider.end(), {"--set", "model.width=32"});
  refuses(wider, "has another shape there");
}

}  // namespace
}  // namespace absorb
