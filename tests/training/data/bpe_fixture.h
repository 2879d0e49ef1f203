// What the tests of byte pair encoding share: texts that are hard to split, and short ways to words, counts and ids.
#pragma once

#include "core/random.h"
#include "tests/training/data/data_fixture.h"
#include "training/data/tokeniser/bpe_training.h"
#include "training/data/tokens/token_file.h"

namespace absorb {

using Ids = std::vector<uint32_t>;
using Words = std::vector<std::string>;
using Counts = std::vector<std::pair<std::string, int64_t>>;

inline Ids encoded(Tokeniser& tokeniser, std::string_view text) {
  Ids ids;
  tokeniser.encode(text, ids);
  return ids;
}

inline Words words_of(std::string_view text) {
  static const WordSplitter splitter;
  Words words;
  splitter.split(text, [&](std::string_view word) { words.emplace_back(word); });
  return words;
}

/// Words, white space of many kinds, and bytes that are no UTF-8.
inline std::string random_text(uint64_t seed, int parts) {
  static const Words pieces = {"the",      " the",       "'re",  "'",      "r",      "e",      " ",      "  ",
                               "\n",       "\n\n",       "\t",   "\u00a0", "\u3000", "\u0085", "\u4e2d", "\xe2",
                               "\xe2\x80", "\xff",       "12",   ".",      " ?!",    "\u00e9", "\u200b", " he",
                               "ll'",      "\U0001f600", "\x01", "\u3002", "a",      "thethe"};
  Random random(stream_key(seed, "text"));
  std::string text;
  for (int i = 0; i < parts; ++i) text += pieces[random.below(pieces.size())];
  return text;
}

inline Counts counted(const std::string& text) {
  WordCounts counts;
  counts.add(text, true);
  return counts.sorted();
}

/// The ids in a token file.
inline Ids ids_in(const Path& path) {
  const TokenFile file(path, {});
  std::vector<int64_t> all(static_cast<std::size_t>(file.size()));
  file.copy(0, file.size(), all.data());
  return {all.begin(), all.end()};
}

}  // namespace absorb
