// Synthetic tasks in which routing decides (docs/science.md section 7): a learned router must beat a random one here,
// or the machinery is broken. Only answers have targets; held-out sequences come from streams that training never sees.
#pragma once

#include <cstdint>
#include <memory>

#include "training/data/dataset.h"

namespace absorb {

/// Attention. `pairs` pair tokens show every key once in random order, each with a uniform value; then `pairs` query
/// tokens ask for every key once in random order, and the answer at a query is the value that its key was shown with.
/// T = 2 * pairs. Ids: key * values + value for pairs; pairs * values + key for queries; pairs * (values + 1) + value
/// for answers, which occur as targets alone. Guessing costs ln(values) nats.
std::shared_ptr<const Dataset> make_recall(const DataSettings& data, uint64_t seed);

/// Experts. A class token c, one token for each attribute i with its uniform value v_i, then "=", at which the answer
/// argmax_j sum_i T_c[i, v_i, j] is predicted; T is standard normal and belongs to the seed. T (time) = attributes + 2.
/// Ids: c for classes; classes + i * values + v for attributes (each attribute has ids of its own, or a sum over
/// positions couldn't tell whose value it saw); then "="; then the answers, which occur as targets alone.
std::shared_ptr<const Dataset> make_rule(const DataSettings& data, uint64_t seed);

}  // namespace absorb
