#include "core/hash.h"

#include <fmt/format.h>
#include <xxhash.h>

namespace absorb {
namespace {

std::string hex_of(const XXH128_hash_t& hash) {
  return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

}  // namespace

std::string hash_hex(std::string_view bytes) {
  return hex_of(XXH3_128bits(bytes.data(), bytes.size()));
}

struct StreamHash::State {
  XXH3_state_t* hash = XXH3_createState();
  ~State() { XXH3_freeState(hash); }
};

StreamHash::StreamHash() : state_(std::make_unique<State>()) {
  XXH3_128bits_reset(state_->hash);
}
StreamHash::~StreamHash() = default;

void StreamHash::update(std::string_view bytes) {
  XXH3_128bits_update(state_->hash, bytes.data(), bytes.size());
}

std::string StreamHash::hex() const {
  return hex_of(XXH3_128bits_digest(state_->hash));
}

std::uint64_t hash64(std::string_view bytes) {
  return XXH3_64bits(bytes.data(), bytes.size());
}

}  // namespace absorb
