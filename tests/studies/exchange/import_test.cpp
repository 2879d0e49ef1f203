// Models of every family that is read, as transformers makes them: what absorb says of a text is what it says.
#include "studies/exchange/import.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "core/error.h"
#include "core/random.h"
#include "core/text/json.h"
#include "studies/exchange/export.h"
#include "studies/folder/records/files.h"
#include "studies/run/live_run.h"
#include "tests/python.h"
#include "training/trainer.h"

namespace absorb {
namespace {

namespace fs = std::filesystem;

class StudiesImport : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder = fs::temp_directory_path() / fmt::format("absorb-import-{}", ::getpid());
    fs::create_directories(folder);
    there = testing::python_has("torch, transformers") && python("") == 0;
  }
  static void TearDownTestSuite() { fs::remove_all(folder); }
  void SetUp() override {
    if (!there) GTEST_SKIP() << "no transformers: scripts/setup --tools installs it";
  }

  /// Exit status of models.py with the folder and more.
  static int python(const std::string& more) {
    const std::string script = std::string(ABSORB_SOURCE_DIR) + "/tests/studies/exchange/models.py";
    return std::system(testing::python_line(script + " " + folder.string() + " " + more + " >/dev/null 2>&1").c_str());
  }
  static LiveRun live(const Path& run) {
    const RunSettings settings = run_settings_from_json(read_record_json(run / "settings.json"), "settings.json");
    LiveRun out(settings, 96, at::kCPU);
    load_weights(out, run);
    return out;
  }
  /// A copy of a model's folder, to be damaged.
  static Path copy_of(const std::string& family) {
    const Path to = folder / (family + "-copy");
    fs::remove_all(to);
    fs::copy(folder / family, to);
    return to;
  }
  static void set(const Path& model, const std::string& key, const Json& value) {
    Json config = parse_json(read_file(model / "config.json"));
    config[key] = value;
    write_file(model / "config.json", config.dump());
  }
  static std::string fault(const Path& model) {
    const Path to = folder / "refused";
    try {
      import_model(model, to, {});
    } catch (const UserError& error) {
      EXPECT_FALSE(fs::exists(to));
      return error.what();
    }
    fs::remove_all(to);
    return "";
  }

  inline static Path folder;
  inline static bool there = false;
};

TEST_F(StudiesImport, EveryFamilySaysWhatTransformersSays) {
  std::set<std::string> seen;
  for (const std::string family :
       {"gpt2", "llama", "llama-tied", "mistral", "qwen2", "qwen3", "olmo2", "olmoe", "qwen3_moe", "mixtral"}) {
    const Path to = folder / (family + "-run");
    seen.insert(import_model(folder / family, to, {}).family);
    require_intact(to, Intact::all);
    const LiveRun run = live(to);
    const auto expected = read_safetensors(folder / (family + ".expected.safetensors"));
    const Tensor text = expected.at("tokens"), tokens = text.narrow(1, 0, 32), targets = text.narrow(1, 1, 32);
    const at::NoGradGuard no_grad;
    Pass pass;
    const Tensor logits = run.model().logits(tokens, run.routes(), pass), theirs = expected.at("logits");
    const double error = ((logits - theirs).abs().max() / theirs.abs().max()).item<double>();
    EXPECT_LT(error, 1e-5) << family;
    const double loss = run.losses()({tokens, targets}, pass).mean().item<double>();
    EXPECT_NEAR(loss, expected.at("loss").item<double>(), 1e-6 * loss) << family;
    RecordProperty(family, fmt::format("{:.1e}", error));
    std::cout << fmt::format("{}: largest logit difference {:.1e} of the largest logit, loss {:.6f}\n", family, error,
                             loss);
  }
  const std::vector<std::string> known = families();
  EXPECT_EQ(seen, std::set<std::string>(known.begin(), known.end()));
}

// Out again: the tensors' own bits, the logits by transformers, and the tokens that it then chooses, as ours do.
TEST_F(StudiesImport, ExportedAgainTheModelIsTheSame) {
  const std::vector<std::string> all = {"gpt2",  "llama", "llama-tied", "qwen2",  "qwen3",
                                        "olmo2", "olmoe", "qwen3_moe",  "mixtral"};
  std::string names;
  for (const std::string& family : all) {
    const Path run = folder / (family + "-in"), out = folder / (family + "-exported");
    import_model(folder / family, run, {});
    export_run(run, out, family == "qwen3" ? 20000 : uint64_t{4} << 30);
    const HuggingFaceTensors before(folder / family), after(out);
    EXPECT_EQ(after.names(), before.names()) << family;
    for (const std::string& name : before.names())
      EXPECT_TRUE(at::equal(after.read(name), before.read(name))) << family << ' ' << name;
    names += ' ' + family;
  }
  EXPECT_TRUE(fs::exists(folder / "qwen3-exported" / "model.safetensors.index.json"));
  ASSERT_EQ(python("again" + names), 0);
  const at::NoGradGuard no_grad;
  for (const std::string& family : all) {
    const auto expected = read_safetensors(folder / (family + ".expected.safetensors")),
               again = read_safetensors(folder / (family + ".again.safetensors"));
    EXPECT_TRUE(at::allclose(again.at("logits"), expected.at("logits"), 1e-6, 1e-6)) << family;
    const LiveRun run = live(folder / (family + "-in"));
    Tensor text = expected.at("tokens").narrow(1, 0, 32);
    for (int64_t i = 0; i < 16; ++i) {
      Pass pass;
      const Tensor next = run.model().logits(text, run.routes(), pass).select(1, -1).argmax(-1, /*keepdim=*/true);
      text = at::cat({text, next}, 1);
    }
    EXPECT_TRUE(at::equal(text, again.at("made"))) << family;
  }
}

// Thirty steps of AdamW from the same weights over the same batches, beside PyTorch's.
TEST_F(StudiesImport, TrainsAsPyTorchDoes) {
  const std::vector<std::string> all = {"qwen3", "olmoe"};
  std::map<std::string, std::vector<double>> losses;
  std::string names;
  for (const std::string& family : all) {
    const PretrainedModel model(folder / family);
    RunSettings settings = settings_of(model.architecture());
    settings.moe.losses.clear();  // transformers adds none unless it is asked
    settings.training.steps = 30;
    settings.training.batch = 4;
    settings.training.warmup = 5;
    settings.training.learning_rate = 3e-3;
    const LiveRun run(settings, 96, at::kCPU);
    load_pretrained(run, model);
    Trainer trainer(run.parameters(), run.training_losses(nullptr), settings.training, 1);
    const Tensor text = gauss({stream_key(9, family), {}}, {30, 4, 33}, at::kCPU).mul(40).abs().to(at::kLong) % 96;
    Tensor rates = at::empty({30});
    for (int64_t step = 0; step < 30; ++step) {
      const Batch batch{text[step].narrow(1, 0, 32), text[step].narrow(1, 1, 32)};
      const StepResult result = trainer.step({&batch, 1});
      losses[family].push_back(result.loss.item<double>());
      rates[step] = result.learning_rate;
    }
    write_safetensors(folder / (family + ".batches.safetensors"), {{"tokens", text}, {"rates", rates}});
    names += ' ' + family;
  }
  ASSERT_EQ(python("train" + names), 0);
  for (const std::string& family : all) {
    const Tensor theirs = read_safetensors(folder / (family + ".losses.safetensors")).at("losses");
    for (std::size_t step = 0; step < 30; ++step)
      EXPECT_NEAR(losses[family][step], theirs[static_cast<int64_t>(step)].item<double>(), 1e-5)
          << family << " at step " << step + 1;
    EXPECT_LT(losses[family].back(), losses[family].front() - 0.1) << family;
  }
}

TEST_F(StudiesImport, WhatDoesNotFitIsNamed) {
  const auto says = [](const std::string& found, const std::string& words) {
    EXPECT_NE(found.find(words), std::string::npos) << "expected: " << words << "\ngot: " << found;
    EXPECT_EQ(found.find('\n'), std::string::npos) << found;
  };
  says(fault(folder / "nowhere"), "no folder of a model");
  Path model = copy_of("qwen3");
  fs::remove(model / "config.json");
  says(fault(model), "holds no config.json");
  model = copy_of("qwen3");
  fs::remove(model / "model.safetensors");
  says(fault(model), "holds neither model.safetensors nor model.safetensors.index.json");
  const std::vector<std::tuple<std::string, Json, std::string>> configs = {
      {"model_type", "mamba2", "`model_type` \"mamba2\" isn't read; known: gpt2, llama"},
      {"hidden_act", "relu", "`hidden_act`: \"relu\" isn't read"},
      {"num_attention_heads", 3, "divisible by model.attention.kv_heads"},
      {"hidden_size", "wide", "`hidden_size` should be a whole number"},
      {"intermediate_size", 64, "isn't that of config.json"},
      {"num_hidden_layers", 4, "holds no tensor model.layers.3."},
      {"num_hidden_layers", 2, "holds model.layers.2."},
      {"rope_parameters", {{"rope_type", "yarn"}}, "`rope_type`: \"yarn\" isn't read; known: default, llama3"},
      {"attention_bias", true, "holds no tensor model.layers.0.self_attn."},
  };
  for (const auto& [key, value, words] : configs) {
    model = copy_of("qwen3");
    set(model, key, value);
    says(fault(model), words);
  }
  write_file(model / "config.json", "[1");
  says(fault(model), "config.json: no JSON object");
}

// What a model too large for one file looks like; and bf16, which is read as the floats that it stands for.
TEST_F(StudiesImport, ShardsAndHalfPrecisionAreRead) {
  const auto whole = read_safetensors(folder / "qwen3" / "model.safetensors");
  const Path model = copy_of("qwen3");
  fs::remove(model / "model.safetensors");
  NamedTensors shards[2];
  Json index = Json::object();
  for (const auto& [name, tensor] : whole) {
    const std::size_t shard = index.size() % 2;
    shards[shard].emplace_back(name, tensor.to(shard == 0 ? at::kBFloat16 : at::kHalf));
    index[name] = fmt::format("model-{}.safetensors", shard);
  }
  for (std::size_t shard = 0; shard < 2; ++shard)
    write_safetensors(model / fmt::format("model-{}.safetensors", shard), shards[shard]);
  const Path index_file = model / "model.safetensors.index.json";
  write_file(index_file, Json{{"weight_map", index}}.dump());
  const PretrainedModel read(model);
  const Tensor q = whole.at("model.layers.1.self_attn.q_proj.weight");
  const auto type =
      index["model.layers.1.self_attn.q_proj.weight"] == "model-0.safetensors" ? at::kBFloat16 : at::kHalf;
  EXPECT_TRUE(at::equal(read.read("blocks.1.attention.q"), q.to(type).to(at::kFloat)));
  const auto says = [&](const std::string& words) {
    const std::string found = fault(model);
    EXPECT_NE(found.find(words), std::string::npos) << found;
  };
  Json wrong = index;
  wrong["model.norm.weight"] =
      index["model.norm.weight"] == "model-0.safetensors" ? "model-1.safetensors" : "model-0.safetensors";
  write_file(index_file, Json{{"weight_map", wrong}}.dump());
  says("which the index has elsewhere");
  wrong["model.norm.weight"] = "../elsewhere.safetensors";
  write_file(index_file, Json{{"weight_map", wrong}}.dump());
  says("lies outside the folder");
  wrong["model.norm.weight"] = "model-9.safetensors";
  write_file(index_file, Json{{"weight_map", wrong}}.dump());
  says("model-9.safetensors, which its index names, is missing");
}

}  // namespace
}  // namespace absorb
