// Learns a byte pair encoding from word counts: Sennrich et al. 2016 on bytes, with the counts of pairs kept up to
// date, so that a merge costs no more than the words that hold it. The same words give the same encoding.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "training/data/tokeniser/bpe.h"
#include "training/data/tokeniser/words.h"

namespace absorb {

/// Counts the words of a text that streams by. Memory is bounded: words beyond 256 bytes are not counted, and when
/// there are more than `most` different ones, the rarest are forgotten until half of it is left (first those seen once,
/// then twice, ...), as in Manku and Motwani's lossy counting (VLDB 2002).
class WordCounts {
 public:
  explicit WordCounts(std::size_t most = 1 << 20);
  /// The next piece of a document; `last` closes it.
  void add(std::string_view piece, bool last);
  /// Every word and how often it came, ordered by the word's bytes.
  std::vector<std::pair<std::string, int64_t>> sorted() const;

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view word) const { return std::hash<std::string_view>()(word); }
  };
  void count(std::string_view word);
  void forget_rarest();

  std::size_t most_;
  WordSplitter splitter_;
  PieceJoiner joiner_;
  std::unordered_map<std::string, int64_t, Hash, std::equal_to<>> counts_;
};

/// Ids that are no merge: the bytes and <|endoftext|>.
inline constexpr int64_t bpe_base = 257;

/// An encoding of `vocabulary` ids, ordered as GPT-2's: bytes in byte_order(), merges as they were learned, then
/// <|endoftext|>. Each merge is the most frequent pair; of equally frequent ones that with the lowest ids (of the left
/// part, then the right). UserError when fewer pairs come twice.
BpeModel train_bpe(const std::vector<std::pair<std::string, int64_t>>& words, int64_t vocabulary);

}  // namespace absorb
