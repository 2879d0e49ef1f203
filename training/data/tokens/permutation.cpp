#include "training/data/tokens/permutation.h"

#include <bit>

#include "core/error.h"
#include "core/random.h"

namespace absorb {
namespace {

constexpr uint64_t rounds = 10;  // as in FF1 (NIST SP 800-38G): four leave neighbours together in small domains

uint64_t mixed(uint64_t right, uint64_t key, uint64_t which, uint64_t round) {
  // Philox' counter: (which, round) and the half that is mixed in.
  return Random(key ^ (which * rounds + round + 1) * 0x9E3779B97F4A7C15ULL, right).bits();
}

}  // namespace

int64_t permuted(int64_t index, int64_t size, uint64_t key, uint64_t which) {
  check(index >= 0 && index < size, "[permuted] {} of {}", index, size);
  const auto half = static_cast<int>((std::bit_width(static_cast<uint64_t>(size - 1)) + 1) / 2);
  const uint64_t mask = (uint64_t{1} << half) - 1;
  auto number = static_cast<uint64_t>(index);
  do {
    uint64_t left = number >> half, right = number & mask;
    for (uint64_t round = 0; round < rounds; ++round) {
      const uint64_t next = (left ^ mixed(right, key, which, round)) & mask;
      left = right;
      right = next;
    }
    number = left << half | right;
  } while (number >= static_cast<uint64_t>(size));
  return static_cast<int64_t>(number);
}

}  // namespace absorb
