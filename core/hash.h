// Checksums: xxh3, of 128 bits for files and identities, of 64 for what lives in memory alone.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace absorb {

/// xxh3-128 as 32 hexadecimal digits.
std::string hash_hex(std::string_view bytes);
/// The same of bytes that come one piece after the other.
class StreamHash {
 public:
  StreamHash();
  ~StreamHash();
  StreamHash(const StreamHash&) = delete;
  StreamHash& operator=(const StreamHash&) = delete;
  void update(std::string_view bytes);
  std::string hex() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};
/// xxh3-64 of bytes.
std::uint64_t hash64(std::string_view bytes);

}  // namespace absorb
