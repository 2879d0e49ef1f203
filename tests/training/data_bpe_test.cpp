#include <cstdlib>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "core/random.h"
#include "tests/training/data_fixture.h"
#include "training/data/bpe.h"
#include "training/data/bpe_files.h"
#include "training/data/bpe_training.h"
#include "training/data/dataset.h"
#include "training/data/token_file.h"
#include "training/data/token_writer.h"
#include "training/data/vocabulary.h"
#include "training/data/write_tokens.h"

namespace absorb {
namespace {

using Ids = std::vector<uint32_t>;
using Words = std::vector<std::string>;
using Counts = std::vector<std::pair<std::string, int64_t>>;

Ids encoded(Tokeniser& tokeniser, std::string_view text) {
  Ids ids;
  tokeniser.encode(text, ids);
  return ids;
}

Words words_of(std::string_view text) {
  static const WordSplitter splitter;
  Words words;
  splitter.split(text, [&](std::string_view word) { words.emplace_back(word); });
  return words;
}

/// Words, white space of many kinds, and bytes that are no UTF-8.
std::string random_text(uint64_t seed, int parts) {
  static const Words pieces = {"the",      " the",       "'re",  "'",      "r",      "e",      " ",      "  ",
                               "\n",       "\n\n",       "\t",   "\u00a0", "\u3000", "\u0085", "\u4e2d", "\xe2",
                               "\xe2\x80", "\xff",       "12",   ".",      " ?!",    "\u00e9", "\u200b", " he",
                               "ll'",      "\U0001f600", "\x01", "\u3002", "a",      "thethe"};
  Random random(stream_key(seed, "text"));
  std::string text;
  for (int i = 0; i < parts; ++i) text += pieces[random.below(pieces.size())];
  return text;
}

/// What the head of bpe_training.h says, with all counts taken anew for every merge.
Words plainly_learned(const Counts& counts, int64_t merges) {
  std::vector<std::pair<Ids, int64_t>> words;
  Words tokens;
  std::array<uint32_t, 256> id_of{};
  for (const unsigned char byte : byte_order()) {
    id_of[byte] = static_cast<uint32_t>(tokens.size());
    tokens.emplace_back(1, static_cast<char>(byte));
  }
  for (const auto& [text, count] : counts) {
    words.push_back({{}, count});
    for (const char byte : text) words.back().first.push_back(id_of[static_cast<unsigned char>(byte)]);
  }
  while (merges > 0) {
    std::map<std::pair<uint32_t, uint32_t>, int64_t> pairs;
    for (const auto& [ids, count] : words)
      for (std::size_t i = 1; i < ids.size(); ++i) pairs[{ids[i - 1], ids[i]}] += count;
    const std::pair<uint32_t, uint32_t>* best = nullptr;
    for (const auto& [pair, count] : pairs) {
      if (best == nullptr || count > pairs[*best]) best = &pair;
    }
    const auto id = static_cast<uint32_t>(tokens.size());
    tokens.push_back(tokens[best->first] + tokens[best->second]);
    for (auto& [ids, count] : words)
      for (std::size_t i = 0; i + 1 < ids.size(); ++i)
        if (ids[i] == best->first && ids[i + 1] == best->second) {
          ids[i] = id;
          ids.erase(ids.begin() + static_cast<std::ptrdiff_t>(i) + 1);
        }
    --merges;
  }
  return tokens;
}

Counts counted(const std::string& text) {
  WordCounts counts;
  counts.add(text, true);
  return counts.sorted();
}

class TrainingBpe : public DataFixture {
 protected:
  /// Documents that share most of their words.
  DataSettings corpus(int documents, int64_t vocabulary) const {
    static const Words words = {"the", "router", "learns", "a", "random", "gate", "absorbs", "it", "we'll", "42"};
    Random random(stream_key(1, "corpus"));
    std::string text;
    for (int i = 0; i < documents; ++i) {
      for (int j = 0; j < 12; ++j) text += words[random.below(words.size())] + (j < 11 ? " " : ".\n\n");
    }
    DataSettings data;
    data.corpus = put("corpus.txt", text);
    data.valid_share = 0.2;
    data.test_share = 0.1;
    data.tokens = "bpe";
    data.vocabulary = vocabulary;
    return data;
  }
  Ids ids(const Path& path) const {
    const TokenFile file(path, {});
    std::vector<int64_t> all(static_cast<std::size_t>(file.size()));
    file.copy(0, file.size(), all.data());
    return {all.begin(), all.end()};
  }
};

TEST_F(TrainingBpe, WordsAreThoseOfThePublishedExpression) {
  EXPECT_EQ(words_of("Hello world"), (Words{"Hello", " world"}));
  EXPECT_EQ(words_of("we'll they'RE 's'"), (Words{"we", "'ll", " they", "'", "RE", " '", "s", "'"}));
  EXPECT_EQ(words_of("a   b \n\n c  "), (Words{"a", "  ", " b", " \n\n", " c", "  "}));
  EXPECT_EQ(words_of("x12.5!? y"), (Words{"x", "12", ".", "5", "!?", " y"}));
  EXPECT_EQ(words_of("\u00e9t\u00e9\u00a0\u3000\u4e2d\u6587\u3002"),
            (Words{"\u00e9t\u00e9", "\u00a0", "\u3000", "\u4e2d\u6587", "\u3002"}));
  EXPECT_EQ(words_of("a\u180e b"), (Words{"a", "\u180e", " b"}));  // no white space since Unicode 6.3
  EXPECT_EQ(words_of("ab\xff\xe2\x82 c\xe2\x82\xac"), (Words{"ab", "\xff\xe2\x82", " c", "\xe2\x82\xac"}));
  EXPECT_EQ(words_of("\xed\xa0\x80"), (Words{"\xed\xa0\x80"}));  // a surrogate is no character
  EXPECT_TRUE(words_of("").empty());
}

TEST_F(TrainingBpe, ASafeCutChangesNoWord) {
  EXPECT_EQ(last_safe_cut("ab cd"), 2u);
  EXPECT_EQ(last_safe_cut("ab  "), 2u);
  EXPECT_EQ(last_safe_cut("\u4e2d\u3002\nx"), 6u);
  EXPECT_EQ(last_safe_cut("ab"), 0u);
  EXPECT_EQ(last_safe_cut(" ab"), 0u);
  EXPECT_EQ(last_safe_cut("ab\u3000 \u00a0 \u2003 "), 0u);
  for (uint64_t seed = 0; seed < 300; ++seed) {
    const std::string text = random_text(seed, 30);
    for (std::size_t seen = 0; seen <= text.size(); ++seen) {
      const std::size_t cut = last_safe_cut(std::string_view(text).substr(0, seen));
      Words parts = words_of(text.substr(0, cut));
      for (const std::string& word : words_of(text.substr(cut))) parts.push_back(word);
      ASSERT_EQ(parts, words_of(text)) << "seed " << seed << ", " << seen << " bytes seen, cut at " << cut;
    }
  }
}

TEST_F(TrainingBpe, ALongDocumentWithoutASafeCutIsHeldUpToALimit) {
  std::size_t taken = 0, most = 0;
  PieceJoiner joiner(last_safe_cut);
  const std::string piece(1 << 20, 'x');
  for (int i = 0; i < 40; ++i)
    joiner.add(piece, i == 39, [&](std::string_view part) {
      taken += part.size();
      most = std::max(most, part.size());
    });
  EXPECT_EQ(taken, 40u << 20);
  EXPECT_EQ(most, longest_held);
}

TEST_F(TrainingBpe, BytesHaveCharactersThatCanBeReadBack) {
  EXPECT_EQ(to_printable(" a\n\xff"), "\u0120a\u010a\u00ff");
  std::string all;
  for (const unsigned char byte : byte_order()) all += static_cast<char>(byte);
  EXPECT_EQ(all.substr(0, 3), "!\"#");
  EXPECT_EQ(all[188], '\0');
  EXPECT_EQ(from_printable(to_printable(all)), all);
  EXPECT_FALSE(from_printable("\u4e2d").has_value());
  EXPECT_FALSE(from_printable("\xc4").has_value());
}

TEST_F(TrainingBpe, MergesGoByFrequencyAndTiesByTheLowestIds) {
  const auto merged = [](const Counts& words, int64_t count) {
    const BpeModel model = train_bpe(words, bpe_base + count);
    return Words(model.tokens.begin() + 256, model.tokens.end() - 1);
  };
  EXPECT_EQ(merged({{"abc", 3}, {"bc", 2}}, 2), (Words{"bc", "abc"}));
  EXPECT_EQ(merged({{"ab", 2}, {"cd", 2}, {"ac", 2}}, 3), (Words{"ab", "ac", "cd"}));
  EXPECT_EQ(merged({{"aaaa", 2}}, 2), (Words{"aa", "aaaa"}));
  const std::string few = complaint([&] { merged({{"ab", 2}, {"xy", 1}}, 2); });
  EXPECT_TRUE(contains(few, "too small for data.vocabulary = 259")) << few;
  EXPECT_TRUE(contains(few, "at most 258")) << few;
}

TEST_F(TrainingBpe, CountsKeptUpToDateGiveTheMergesOfCountsTakenAnew) {
  for (uint64_t seed = 0; seed < 5; ++seed) {
    const Counts counts = counted(random_text(seed, 2000));
    Words learned = train_bpe(counts, bpe_base + 60).tokens;
    EXPECT_EQ(learned.back(), end_of_text);
    learned.pop_back();
    EXPECT_EQ(std::set<std::string>(learned.begin(), learned.end()).size(), learned.size());
    EXPECT_EQ(learned, plainly_learned(counts, 60)) << "seed " << seed;
  }
}

TEST_F(TrainingBpe, ForgettingTheRarestWordsKeepsTheFrequentAndTheBound) {
  WordCounts counts(100);
  for (int i = 0; i < 1000; ++i) counts.add("often w" + std::string(1 + static_cast<std::size_t>(i) % 200, 'x'), true);
  const Counts words = counts.sorted();
  EXPECT_LE(words.size(), 100u);
  EXPECT_TRUE(std::find(words.begin(), words.end(), std::pair<std::string, int64_t>("often", 1000)) != words.end());
  EXPECT_TRUE(std::is_sorted(words.begin(), words.end()));
  WordCounts long_words;
  long_words.add(std::string(257, 'a') + " " + std::string(255, 'b'), true);
  EXPECT_EQ(long_words.sorted().size(), 1u);
}

TEST_F(TrainingBpe, WhatWasLearnedIsReadBackAndDecodesAnyBytes) {
  write_bpe(train_bpe(counted(random_text(1, 3000)), 320), folder_);
  Bpe bpe(read_bpe(folder_));
  EXPECT_EQ(bpe.vocabulary(), 320);
  EXPECT_EQ(bpe.end_of_document(), 319);
  EXPECT_EQ(bpe_vocabulary(folder_), 320);
  EXPECT_EQ(encoded(bpe, "thethe").size(), 1u);
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  for (uint64_t seed = 0; seed < 200; ++seed) all += random_text(seed, 20);
  const Ids ids = encoded(bpe, all);
  EXPECT_EQ(bpe.decode(ids), all);
  EXPECT_LT(ids.size(), all.size());
  EXPECT_EQ(std::count(ids.begin(), ids.end(), 319u), 0);
  EXPECT_EQ(encoded(bpe, all), ids);  // from memory
  // A text that looks like the end of a document is text.
  EXPECT_EQ(bpe.decode(encoded(bpe, end_of_text)), end_of_text);
  EXPECT_GT(encoded(bpe, end_of_text).size(), 1u);
}

// The loop of encoder.py: again and again the earliest merge, wherever it applies.
TEST_F(TrainingBpe, AWordsIdsAreThoseOfThePublishedLoop) {
  BpeModel model = train_bpe(counted(random_text(2, 5000)), 330);
  Bpe bpe(model);
  const std::string text = random_text(3, 2000);
  for (const std::string& word : words_of(text)) {
    Words parts;
    for (const char byte : word) parts.emplace_back(1, byte);
    for (const auto& [left, right] : model.merges)
      for (std::size_t i = 0; i + 1 < parts.size(); ++i)
        if (parts[i] == model.tokens[left] && parts[i + 1] == model.tokens[right]) {
          parts[i] += parts[i + 1];
          parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(i) + 1);
        }
    Words got;
    for (const uint32_t id : encoded(bpe, word)) got.push_back(model.tokens[id]);
    ASSERT_EQ(got, parts) << word;
  }
}

TEST_F(TrainingBpe, PiecesOfADocumentChangeNoId) {
  const auto bpe = std::make_shared<Bpe>(train_bpe(counted(random_text(4, 3000)), 320));
  for (uint64_t seed = 0; seed < 30; ++seed) {
    const std::string text = random_text(seed, 200);
    Ids whole = encoded(*bpe, text);
    whole.push_back(319);
    TokenWriter writer(folder_ / "pieces.bin", bpe);
    Random random(stream_key(seed, "cuts"));
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t size = 1 + random.below(20);
      writer.add(std::string_view(text).substr(at, size), at + size >= text.size());
      at += size;
    }
    const TokenFacts facts = writer.finish({});
    EXPECT_EQ(facts.text_bytes, static_cast<int64_t>(text.size()));
    ASSERT_EQ(ids(folder_ / "pieces.bin"), whole) << "seed " << seed;
  }
}

TEST_F(TrainingBpe, TokenFilesOfALearnedEncodingComeWithItsFiles) {
  const DataSettings data = corpus(400, 290);
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
  Ids train = ids(folder_ / "out/train.bin");
  EXPECT_EQ(std::count(train.begin(), train.end(), 289u), result[0].documents);
  std::erase(train, 289u);
  EXPECT_EQ(bpe.decode(train).size(), static_cast<std::size_t>(result[0].text_bytes));
  // The same bytes again, and as "gpt2" through the files that were left.
  write_tokens({data, folder_ / "again", nullptr});
  DataSettings read = data;
  read.tokens = "gpt2";
  read.tokeniser = (folder_ / "out").string();
  write_tokens({read, folder_ / "read", nullptr});
  for (const char* name : {"train.bin", "valid.bin", "test.bin"}) {
    EXPECT_EQ(read_file(folder_ / "out" / name), read_file(folder_ / "again" / name)) << name;
    EXPECT_EQ(read_file(folder_ / "out" / name), read_file(folder_ / "read" / name)) << name;
  }
}

TEST_F(TrainingBpe, OnlyTheTrainingSplitIsLearnedFrom) {
  DataSettings data;
  data.train = put("t.txt", "abab abab abab");
  data.valid = put("v.txt", "xyxyxyxyxyxyxyxy xyxyxyxyxyxyxyxy");
  data.tokens = "bpe";
  data.vocabulary = 259;
  write_tokens({data, folder_ / "out", nullptr});
  const BpeModel model = read_bpe(folder_ / "out");
  EXPECT_EQ(model.tokens[256], "ab");
  EXPECT_EQ(model.tokens[257], "abab");
}

TEST_F(TrainingBpe, ADatasetKnowsItsVocabularyAndBytesPerToken) {
  DataSettings data = corpus(400, 290);
  EXPECT_EQ(stated_vocabulary(data), 290);
  const auto dataset = make_dataset(data, 16, 1);
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
  EXPECT_EQ(stated_vocabulary(data), 290);
  const Path as_read = cached_tokens(data);
  std::filesystem::copy(first, folder_ / "copy");
  data.tokeniser = (folder_ / "copy").string();
  EXPECT_EQ(cached_tokens(data), as_read);  // files count, not where they lie
}

TEST_F(TrainingBpe, WhatCannotBeIsOneLine) {
  DataSettings data = corpus(10, 256);
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

TEST_F(TrainingBpe, DamagedFilesAreNamed) {
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
class TrainingGpt2 : public TrainingBpe {
 protected:
  void SetUp() override {
    TrainingBpe::SetUp();
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
