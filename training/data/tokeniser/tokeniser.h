// Text to token ids and back, behind one face: bytes, or byte pair encoding (bpe.h).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "training/data/tokeniser/text_settings.h"

namespace absorb {

/// Not for use by two threads at a time: it may remember words.
class Tokeniser {
 public:
  virtual ~Tokeniser() = default;
  /// Appends the ids of `text` to `ids`. Any bytes will do.
  virtual void encode(std::string_view text, std::vector<uint32_t>& ids) = 0;
  /// The bytes of ids below vocabulary(): of what encode() gives, the text.
  virtual std::string decode(std::span<const uint32_t> ids) const = 0;
  /// The largest place where `text` may be cut, whatever follows it, so that the ids of both parts are those of the
  /// whole; 0 when there is none.
  virtual std::size_t safe_cut(std::string_view text) const = 0;
  /// Ids are below this.
  virtual int64_t vocabulary() const = 0;
  /// The id that is written after each document and never within one.
  virtual int64_t end_of_document() const = 0;
  /// For people: which tokeniser made the ids.
  virtual std::string name() const = 0;
};

/// What data.tokens names and needs no training. "bytes": vocabulary 256, the id of a byte is its value; text holds no
/// byte 0, so that 0 ends a document. "gpt2": byte pair encoding by the two files in data.tokeniser. "huggingface": by
/// its tokenizer.json. UserError for another name, or files that can't be read as such.
std::shared_ptr<Tokeniser> make_tokeniser(const TextSettings& data);

}  // namespace absorb
