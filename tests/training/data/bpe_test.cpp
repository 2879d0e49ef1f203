#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "tests/training/data/bpe_fixture.h"
#include "training/data/tokeniser/bpe.h"
#include "training/data/tokeniser/bpe_files.h"
#include "training/data/tokens/token_writer.h"

namespace absorb {
namespace {

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

using TrainingBpe = DataFixture;

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
    ASSERT_EQ(ids_in(folder_ / "pieces.bin"), whole) << "seed " << seed;
  }
}

}  // namespace
}  // namespace absorb
