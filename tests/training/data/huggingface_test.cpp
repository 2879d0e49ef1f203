// tokenizer.json against tokenizers itself, on strings that no one would write.
#include "training/data/tokeniser/huggingface.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/text/json.h"
#include "tests/python.h"

namespace absorb {
namespace {

using Json = nlohmann::json;
namespace fs = std::filesystem;

class TrainingHuggingFace : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder = fs::temp_directory_path() / fmt::format("absorb-tokenisers-{}", ::getpid());
    fs::create_directories(folder);
    const std::string script = std::string(ABSORB_SOURCE_DIR) + "/tests/training/data/tokenisers.py";
    there = testing::python_has("tokenizers") &&
            std::system(testing::python_line(script + " " + folder.string()).c_str()) == 0;
  }
  static void TearDownTestSuite() { fs::remove_all(folder); }
  void SetUp() override {
    if (!there) GTEST_SKIP() << "no tokenizers: scripts/setup --tools installs it";
  }
  /// What is said of a tokenizer.json in which the value at `pointer` is another.
  static std::string fault(const std::string& kind, const std::string& pointer, const Json& value) {
    Json json = parse_json(read_file(folder / kind / "tokenizer.json"));
    json[Json::json_pointer(pointer)] = value;
    const Path damaged = folder / "damaged";
    fs::create_directories(damaged);
    write_file(damaged / "tokenizer.json", json.dump());
    try {
      read_huggingface(damaged);
    } catch (const UserError& error) {
      return error.what();
    }
    return "";
  }

  inline static Path folder;
  inline static bool there = false;
};

TEST_F(TrainingHuggingFace, IdsAreThoseOfTokenizers) {
  const Json all = parse_json(read_file(folder / "strings.json"));
  for (const char* kind : {"gpt2", "llama3", "qwen"}) {
    const auto tokeniser = read_huggingface(folder / kind);
    int64_t wrong = 0;
    for (std::size_t i = 0; i < all["strings"].size(); ++i) {
      const std::string text = all["strings"][i];
      const std::vector<uint32_t> expected = all[kind][i];
      std::vector<uint32_t> ids;
      tokeniser->encode(text, ids);
      if (ids == expected) continue;
      if (++wrong <= 3)
        ADD_FAILURE() << kind << ": " << Json(text).dump(-1, ' ', true) << "\n"
                      << Json(ids).dump() << "\n"
                      << Json(expected).dump();
    }
    EXPECT_EQ(wrong, 0) << kind << ", of " << all["strings"].size();
  }
}

// Cut where it says that it may be, a text has the ids of its parts.
TEST_F(TrainingHuggingFace, CutsChangeNoId) {
  const Json all = parse_json(read_file(folder / "strings.json"));
  for (const char* kind : {"gpt2", "llama3", "qwen"}) {
    const auto tokeniser = read_huggingface(folder / kind);
    int64_t cuts = 0;
    for (std::size_t i = 0; i + 1 < all["strings"].size(); i += 2) {
      const std::string first = all["strings"][i], text = first + all["strings"][i + 1].get<std::string>();
      const std::size_t cut = tokeniser->safe_cut(first);
      std::vector<uint32_t> whole, parts;
      tokeniser->encode(text, whole);
      tokeniser->encode(std::string_view(text).substr(0, cut), parts);
      tokeniser->encode(std::string_view(text).substr(cut), parts);
      ASSERT_EQ(parts, whole) << kind << ": " << Json(text).dump(-1, ' ', true) << " at " << cut;
      cuts += cut > 0;
    }
    EXPECT_GT(cuts, 250) << kind;
  }
}

TEST_F(TrainingHuggingFace, BrokenUtf8IsKeptAndTheEndOfDocumentsIsNoText) {
  for (const char* kind : {"gpt2", "llama3", "qwen"}) {
    const auto tokeniser = read_huggingface(folder / kind);
    const std::string text = "caf\xc3\xa9 \xff\xc3 <|endoftext|><|end_of_text|> x";
    std::vector<uint32_t> ids;
    tokeniser->encode(text, ids);
    EXPECT_EQ(tokeniser->decode(ids), text) << kind;
    EXPECT_EQ(std::ranges::count(ids, static_cast<uint32_t>(tokeniser->end_of_document())), 0) << kind;
  }
}

TEST_F(TrainingHuggingFace, PartsThatAreNotReadAreNamed) {
  const auto says = [](const std::string& found, const std::string& words) {
    EXPECT_NE(found.find(words), std::string::npos) << "expected: " << words << "\ngot: " << found;
    EXPECT_NE(found.find("tokenizer.json"), std::string::npos) << found;
  };
  says(fault("qwen", "/normalizer", {{"type", "Lowercase"}}), "normalizer Lowercase");
  says(fault("gpt2", "/pre_tokenizer", {{"type", "Metaspace"}}), "a model that isn't byte-level");
  says(fault("gpt2", "/pre_tokenizer/add_prefix_space", true), "ByteLevel with add_prefix_space = true");
  says(fault("qwen", "/pre_tokenizer/pretokenizers/0/behavior", "MergedWithNext"),
       "Split with behavior MergedWithNext");
  says(fault("qwen", "/pre_tokenizer/pretokenizers/0/pattern/Regex", "(["), "no regular expression");
  says(fault("gpt2", "/model/type", "Unigram"), "model Unigram");
  says(fault("gpt2", "/model/byte_fallback", true), "byte_fallback = true");
  says(fault("gpt2", "/model/merges/0", "nowhere xyz"), "which its vocabulary doesn't hold");
  says(fault("gpt2", "/model/vocab/a", "one"), "damaged");
  says(fault("qwen", "/added_tokens/0/lstrip", true), "an added token with lstrip");
  says(fault("llama3", "/added_tokens", Json::array()), "no added token ends a document");
}

}  // namespace
}  // namespace absorb
