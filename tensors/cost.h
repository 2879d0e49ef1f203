// What a router, a selection, a routing loss or an operation of the model costs, as the type itself states it: whoever
// matches sizes, finds the floor of a step or estimates a study asks for this, and never reads a type's settings.
// Surprising: what an item costs with every choice that it sees stands apart (pair_operations), since only the asker
// knows how many of a sequence's keys an item sees: half on average, or whole tiles.
#pragma once

#include <cstdint>

namespace absorb {

/// Forward, of one item (a token) unless said otherwise; additive over parts.
struct Cost {
  int64_t parameters = 0;      // stored numbers, for all items together; without states
  double operations = 0;       // 2 for a multiply-add; a bias counts as one more input, lookups and norms as nothing
  double pair_operations = 0;  // more of them, with each key that the item sees; 0 where the choices are experts
  double results = 0;          // numbers that are written: what later operations and the backward pass read
  double score_passes = 0;     // times that all scores are gone over once more, besides where they are used to weigh

  /// Bytes of `results` in elements of so many bytes.
  double bytes(double element) const { return results * element; }
  /// Operations of an item that sees `keys` keys.
  double operations_with(double keys) const { return operations + pair_operations * keys; }
  Cost& operator+=(const Cost& other) {
    parameters += other.parameters;
    operations += other.operations;
    pair_operations += other.pair_operations;
    results += other.results;
    score_passes += other.score_passes;
    return *this;
  }
  friend Cost operator+(Cost a, const Cost& b) { return a += b; }
  bool operator==(const Cost&) const = default;
};

/// `cost` of `count` equal parts.
inline Cost times(const Cost& cost, int64_t count) {
  const auto n = static_cast<double>(count);
  return {cost.parameters * count, cost.operations * n, cost.pair_operations * n, cost.results * n,
          cost.score_passes * n};
}

/// A product with a stored matrix of `inputs` by `outputs` numbers, and its bias where it has one.
inline Cost product_cost(int64_t inputs, int64_t outputs, bool bias = false) {
  const int64_t numbers = (inputs + (bias ? 1 : 0)) * outputs;
  return {
      .parameters = numbers, .operations = 2.0 * static_cast<double>(numbers), .results = static_cast<double>(outputs)};
}

}  // namespace absorb
