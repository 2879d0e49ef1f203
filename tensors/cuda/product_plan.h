// cuBLASLt's side of tensors/linear/product.h: what a product of one shape is launched with. For core/cuda/ and the
// program that writes the table.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "tensors/linear/product.h"

namespace absorb::products {

/// Most bytes of workspace that an algorithm may ask for.
constexpr std::size_t most_workspace = std::size_t{32} << 20;

struct Plan {
  ProductAlgorithm algorithm = {};
  std::size_t workspace = 0;  // bytes
  bool pinned = false;
};

/// The plan that multiply_into() uses for this shape: made at the first call, the same ever after.
Plan plan_of(const ProductShape& shape);
/// Every shape that was asked for, in ascending order.
std::vector<ProductShape> planned_shapes();

/// What cuBLASLt's heuristic offers for a shape, the best guess first, deterministic ones alone; at most `most`.
std::vector<Plan> heuristic_plans(const ProductShape& shape, int most);
/// Other algorithms near this one (tile, cluster, parts of the inner dimension, order of tiles) that can run this
/// shape.
std::vector<Plan> neighbours(const ProductShape& shape, const Plan& plan);
/// The attributes that cuBLASLt tells: "id 66 tile 128x64 stages 0 split 1 ...".
std::string description(const ProductAlgorithm& algorithm);
/// The library and the card of this process, without products.
PinnedProducts library_here();

/// multiply_into() by this plan.
void run(const ProductShape& shape, const Plan& plan, const Tensor& out, const Tensor& a, const Tensor& b);

}  // namespace absorb::products
