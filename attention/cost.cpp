#include "attention/cost.h"

namespace absorb {

AttentionCost attention_cost(const AttentionSettings& settings, const AttentionShape& shape) {
  const int64_t width = shape.width, parts = settings.native == "qk" ? 3 : 1;
  const auto d = static_cast<double>(width);
  // Two products with every key, QK^T and PV. Without scores of its own attention makes the second alone; it is counted
  // as two, as it always was, so that the numbers of finished studies stay comparable.
  return {product_cost(width, parts * width), {.pair_operations = 4 * d, .results = d}, product_cost(width, width)};
}

}  // namespace absorb
