#include <algorithm>
#include <cstdlib>
#include <optional>

#include "tests/training/data/bpe_fixture.h"
#include "training/data/dataset.h"
#include "training/data/tokeniser/bpe.h"
#include "training/data/tokeniser/bpe_files.h"
#include "training/data/tokens/write_tokens.h"
#include "training/data/vocabulary.h"

namespace absorb {
namespace {

class TrainingBpeFiles : public DataFixture {
 protected:
  /// Documents that share most of their words.
  TextSettings corpus(int documents, int64_t vocabulary) const {
    static const Words words = {"the", "router", "learns", "a", "random", "gate", "absorbs", "it", "we'll", "42"};
    Random random(stream_key(1, "corpus"));
    std::string text;
    for (int i = 0; i < documents; ++i) {
      for (int j = 0; j < 12; ++j) text += words[random.below(words.size())] + (j < 11 ? " " : ".\n\n");
    }
    TextSettings data;
    data.corpus = put("corpus.txt", text);
    data.valid_share = 0.2;
    data.test_share = 0.1;
    data.tokens = "bpe";
    data.vocabulary = vocabulary;
    return data;
  }
};

TEST_F(TrainingBpeFiles, TokenFilesOfALearnedEncodingComeWithItsFiles) {
  const TextSettings data = corpus(400, 290);
  std::uintmax_t done = 0, total = 0;
  const TokensResult result = write_tokens({data, folder_ / "out", [&](std::uintmax_t d, std::uintmax_t t) {
                                              EXPECT_GE(d, done);
                                              done = d;
                                              total = t;
                                            }});
  EXPECT_EQ(total, 2 * std::filesystem::file_size(data.corpus));
  EXPECT_EQ(done, total);
  EXPECT_EQ(result[0].vocabulary, 290);
  EXPECT_EQ(result[0].dtype, "uint16");
  Bpe bpe(read_bpe(folder_ / "out"));
  Ids train = ids_in(folder_ / "out/train.bin");
  EXPECT_EQ(std::count(train.begin(), train.end(), 289u), result[0].documents);
  std::erase(train, 289u);
  EXPECT_EQ(bpe.decode(train).size(), static_cast<std::size_t>(result[0].text_bytes));
  // The same bytes again, and as "gpt2" through the files that were left.
  write_tokens({data, folder_ / "again", nullptr});
  TextSettings read = data;
  read.tokens = "gpt2";
  read.tokeniser = (folder_ / "out").string();
  write_tokens({read, folder_ / "read", nullptr});
  for (const char* name : {"train.bin", "valid.bin", "test.bin"}) {
    EXPECT_EQ(read_file(folder_ / "out" / name), read_file(folder_ / "again" / name)) << name;
    EXPECT_EQ(read_file(folder_ / "out" / name), read_file(folder_ / "read" / name)) << name;
  }
}

TEST_F(TrainingBpeFiles, OnlyTheTrainingSplitIsLearnedFrom) {
  TextSettings data;
  data.train = put("t.txt", "abab abab abab");
  data.valid = put("v.txt", "xyxyxyxyxyxyxyxy xyxyxyxyxyxyxyxy");
  data.tokens = "bpe";
  data.vocabulary = 259;
  write_tokens({data, folder_ / "out", nullptr});
  const BpeModel model = read_bpe(folder_ / "out");
  EXPECT_EQ(model.tokens[256], "ab");
  EXPECT_EQ(model.tokens[257], "abab");
}

TEST_F(TrainingBpeFiles, ADatasetKnowsItsVocabularyAndBytesPerToken) {
  TextSettings data = corpus(400, 290);
  EXPECT_EQ(stated_vocabulary(data_of("text", data)), 290);
  const auto dataset = make_dataset(data_of("text", data), 16, 1);
  EXPECT_EQ(dataset->vocabulary(), 290);
  const TokenFile valid(cached_tokens(data) / "valid.bin", {});
  EXPECT_GT(dataset->bytes_per_token(Split::valid), 2.0);
  EXPECT_DOUBLE_EQ(dataset->bytes_per_token(Split::valid),
                   static_cast<double>(valid.facts().text_bytes) / static_cast<double>(valid.size()));
  const Path first = cached_tokens(data);
  data.vocabulary = 280;
  EXPECT_NE(cached_tokens(data), first);
  data.tokens = "gpt2";
  data.tokeniser = first.string();
  EXPECT_EQ(stated_vocabulary(data_of("text", data)), 290);
  const Path as_read = cached_tokens(data);
  std::filesystem::copy(first, folder_ / "copy");
  data.tokeniser = (folder_ / "copy").string();
  EXPECT_EQ(cached_tokens(data), as_read);  // files count, not where they lie
}

TEST_F(TrainingBpeFiles, WhatCannotBeIsOneLine) {
  TextSettings data = corpus(10, 256);
  const auto fails = [&] { return complaint([&] { write_tokens({data, folder_ / "out", nullptr}); }); };
  EXPECT_TRUE(contains(fails(), "needs data.vocabulary")) << fails();
  data.vocabulary = 5000;
  EXPECT_TRUE(contains(fails(), "too small for data.vocabulary = 5000")) << fails();
  data.tokeniser = "x";
  EXPECT_TRUE(contains(fails(), "leave data.tokeniser out")) << fails();
  data.tokens = "gpt2";
  data.tokeniser.clear();
  EXPECT_TRUE(contains(fails(), "needs data.tokeniser")) << fails();
  data.tokeniser = (folder_ / "none").string();
  EXPECT_TRUE(contains(fails(), "encoder.json doesn't exist")) << fails();
  EXPECT_EQ(missing_files(data).size(), 2u);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "out"));
  data.tokens = "bpe";
  data.tokeniser.clear();
  data.corpus = put("empty.txt", "");
  EXPECT_TRUE(contains(fails(), "empty.txt holds no training text")) << fails();
}

TEST_F(TrainingBpeFiles, DamagedFilesAreNamed) {
  write_bpe(train_bpe({{"abc", 3}}, 259), folder_);
  const std::string encoder = read_file(folder_ / encoder_file), merges = read_file(folder_ / merges_file);
  EXPECT_EQ(merges, "#version: 0.2\na b\nab c\n");
  const auto fails = [&](const std::string& e, const std::string& m) {
    write_file(folder_ / encoder_file, e);
    write_file(folder_ / merges_file, m);
    return complaint([&] { read_bpe(folder_); });
  };
  const auto replaced = [&](const std::string& from, const std::string& to) {
    std::string text = encoder;
    EXPECT_NE(text.find(from), std::string::npos);
    return text.replace(text.find(from), from.size(), to);
  };
  EXPECT_EQ(fails(encoder, merges), "");
  EXPECT_TRUE(contains(fails("{", merges), "encoder.json: no JSON object"));
  EXPECT_TRUE(contains(fails(replaced("\"abc\":257", "\"abc\":259"), merges), "\"abc\" has 259"));
  EXPECT_TRUE(contains(fails(replaced("\"abc\":257", "\"abc\":256"), merges), "each once"));
  EXPECT_TRUE(contains(fails(replaced("\"abc\"", "\"\u4e2d\""), merges), "GPT-2's characters"));
  EXPECT_TRUE(contains(fails(replaced("\"!\"", "\"!!\""), merges), "no id for byte 33"));
  EXPECT_TRUE(contains(fails(replaced("<|endoftext|>", "<|end|>"), merges), "no id for <|endoftext|>"));
  EXPECT_TRUE(contains(fails(encoder, merges + "ab\n"), "vocab.bpe:4: a merge is two tokens"));
  EXPECT_TRUE(contains(fails(encoder, merges + "c c\n"), "vocab.bpe:4: merges tokens that encoder.json doesn't hold"));
}

/// GPT-2's own files, where ABSORB_GPT2 names their folder.
class TrainingGpt2 : public TrainingBpeFiles {
 protected:
  void SetUp() override {
    TrainingBpeFiles::SetUp();
    const char* folder = std::getenv("ABSORB_GPT2");
    if (folder == nullptr) GTEST_SKIP() << "set ABSORB_GPT2 to the folder with GPT-2's encoder.json and vocab.bpe";
    bpe_.emplace(read_bpe(folder));
  }
  Ids ids_of(std::string_view text) { return encoded(*bpe_, text); }
  std::optional<Bpe> bpe_;
};

TEST_F(TrainingGpt2, IdsAreThePublishedOnes) {
  EXPECT_EQ(bpe_->vocabulary(), 50257);
  EXPECT_EQ(bpe_->end_of_document(), 50256);
  EXPECT_EQ(ids_of("Hello world"), (Ids{15496, 995}));
  EXPECT_EQ(ids_of("Hello, world!"), (Ids{15496, 11, 995, 0}));
  EXPECT_EQ(ids_of(" hello"), (Ids{23748}));
  EXPECT_EQ(ids_of("\n\n"), (Ids{628}));
  EXPECT_EQ(ids_of("we'll they'RE don't I'M 's"), (Ids{732, 1183, 484, 6, 2200, 836, 470, 314, 6, 44, 705, 82}));
  EXPECT_EQ(ids_of("a   b \n\n c  "), (Ids{64, 220, 220, 275, 220, 628, 269, 220, 220}));
  EXPECT_EQ(ids_of("\u00e9t\u00e9\u00a0\u3000\u4e2d\u6587\u3002"),
            (Ids{25125, 2634, 1849, 5099, 222, 40792, 23877, 229, 16764}));
  EXPECT_EQ(ids_of("\U0001f600 emoji \U0001f469\u200d\U0001f469"),
            (Ids{47249, 222, 44805, 50169, 102, 447, 235, 41840, 102}));
  EXPECT_EQ(ids_of("a\u180e b"), (Ids{64, 157, 254, 236, 275}));
  EXPECT_EQ(ids_of("supercalifragilisticexpialidocious 1234567890"),
            (Ids{16668, 9948, 361, 22562, 346, 396, 501, 42372, 498, 312, 32346, 17031, 2231, 30924, 3829}));
  EXPECT_EQ(ids_of("<|endoftext|>"), (Ids{27, 91, 437, 1659, 5239, 91, 29}));
  EXPECT_EQ(bpe_->decode(Ids{15496, 995}), "Hello world");
}

}  // namespace
}  // namespace absorb
