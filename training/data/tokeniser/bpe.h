// Byte-level byte pair encoding (Sennrich et al. 2016; Radford et al. 2019, GPT-2): a word starts as its bytes, and the
// pair of neighbours that was merged earliest in training is merged, until none is left that was.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "training/data/tokeniser/tokeniser.h"
#include "training/data/tokeniser/words.h"

namespace absorb {

/// A vocabulary and its merges: the contents of GPT-2's two files.
struct BpeModel {
  std::string name;                                   // for people
  std::vector<std::string> tokens;                    // the bytes of each id
  std::vector<std::pair<uint32_t, uint32_t>> merges;  // ids of both parts, in the order in which they were learned
  uint32_t end_of_document = 0;
  bool whole_words = false;  // a word that is a token is that token, whatever its merges would make of it
};

/// The text that ends a document in GPT-2's vocabulary.
inline constexpr std::string_view end_of_text = "<|endoftext|>";

/// A pair of ids as one number; ascending by the first, then the second.
constexpr uint64_t pair_key(uint32_t left, uint32_t right) {
  return uint64_t{left} << 32 | right;
}

class Bpe final : public Tokeniser {
 public:
  /// The model must hold every single byte, and every merge's result. A text goes through `words` one after the other:
  /// each splits what the one before left.
  explicit Bpe(BpeModel model, std::vector<WordSplitter> words = std::vector<WordSplitter>(1));

  void encode(std::string_view text, std::vector<uint32_t>& ids) override;
  std::string decode(std::span<const uint32_t> ids) const override;
  std::size_t safe_cut(std::string_view text) const override { return last_safe_cut(text); }
  int64_t vocabulary() const override { return static_cast<int64_t>(model_.tokens.size()); }
  int64_t end_of_document() const override { return model_.end_of_document; }
  std::string name() const override { return model_.name; }

 private:
  struct Merge {
    uint32_t rank, id;
  };
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const;
  };

  void split(std::string_view text, std::size_t step, std::vector<uint32_t>& ids);
  void encode_word(std::string_view word, std::vector<uint32_t>& ids);
  void merge_word(std::string_view word, std::vector<uint32_t>& ids) const;
  const Merge* merge_of(uint32_t left, uint32_t right) const;

  BpeModel model_;
  std::vector<WordSplitter> words_;
  std::unordered_map<std::string_view, uint32_t> whole_;  // views of model_.tokens; empty unless whole_words
  std::array<uint32_t, 256> bytes_{};                     // id of each byte
  std::unordered_map<uint64_t, Merge> merges_;
  std::unordered_map<std::string, std::vector<uint32_t>, Hash, std::equal_to<>> seen_;  // most words come again
};

}  // namespace absorb
