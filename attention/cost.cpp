#include "attention/cost.h"

namespace absorb {

AttentionCost attention_cost(const AttentionSettings& settings, const AttentionShape& shape) {
  const AttentionHeads h = attention_heads(settings, shape);
  const int64_t rows = h.kv_rows() + (settings.native == "qk" ? h.q_rows() + h.kv_rows() : 0);
  const auto d = static_cast<double>(h.q_rows());
  AttentionCost cost;
  cost.qkv = product_cost(shape.width, rows, settings.biases != "none");
  if (settings.native == "qk" && settings.qk_norm != "none")
    cost.qkv.parameters += settings.qk_norm == "head" ? 2 * h.dim : h.q_rows() + h.kv_rows();
  // Two products with every key, QK^T and PV. Without scores of its own attention makes the second alone; it is counted
  // as two, as it always was, so that the numbers of finished studies stay comparable.
  cost.attend = {.pair_operations = 4 * d, .results = d};
  cost.out = product_cost(h.q_rows(), shape.width, settings.biases == "qkvo");
  return cost;
}

}  // namespace absorb
