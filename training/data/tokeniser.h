// Text to token ids and their names. Bytes for now; others stand behind the same face.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace absorb {

class Tokeniser {
 public:
  virtual ~Tokeniser() = default;
  /// Appends the ids of `text` to `ids`.
  virtual void encode(std::string_view text, std::vector<uint32_t>& ids) const = 0;
  /// Ids are below this.
  virtual int64_t vocabulary() const = 0;
  /// The id that is written after each document and never within one.
  virtual int64_t end_of_document() const = 0;
  /// What distinguishes its ids from any other's, for cache names.
  virtual std::string name() const = 0;
};

/// "bytes": vocabulary 256, the id of a byte is its value. Text holds no byte 0, so that 0 ends a document.
/// UserError for another name.
std::shared_ptr<const Tokeniser> make_tokeniser(const std::string& name);

}  // namespace absorb
