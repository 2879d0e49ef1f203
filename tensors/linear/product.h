// Matrix products of the kernels' path, by cuBLASLt with an algorithm that a table in this repository names: cuBLAS's
// own choice takes up to 1.26 times as long, and choosing by timing at run time would change a run's bits. Surprising:
// the table (tensors/linear/pinned_products.cpp, written by benchmarks/pin_products) holds for one version of cuBLASLt
// on one kind of card; elsewhere, and for shapes that it lacks, the first algorithm of cuBLASLt's heuristic runs.
// Either way the same inputs give the same bits: nothing is added up by atomics or in an order that varies.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <span>

#include "tensors/node.h"

namespace absorb {

/// What an algorithm is chosen by, of out [N,M] = a [N,K] b [K,M].
struct ProductKind {
  int64_t rows = 0, inner = 0, columns = 0;         // N, K, M
  bool a_transposed = false, b_transposed = false;  // stored as [K,N], [M,K]
  bool fp32 = false;                                // out is fp32, not bf16
  bool adds = false;                                // out += a b
  auto operator<=>(const ProductKind&) const = default;
};

/// A kind and how it lies in memory.
struct ProductShape {
  ProductKind kind;
  int64_t a_stride = 0, b_stride = 0, out_stride = 0;  // elements between stored rows
  int64_t alignment = 0;                               // of all pointers and stored rows in bytes: 16 at most
  auto operator<=>(const ProductShape&) const = default;
};
/// a and b are bf16, stored by rows or transposed; out is bf16 or fp32, stored by rows. InternalError for others.
ProductShape product_shape(const Tensor& a, const Tensor& b, const Tensor& out, bool adds);

/// out = a b, or out += a b where `adds`, on a's GPU, summed in fp32.
void multiply_into(const Tensor& out, const Tensor& a, const Tensor& b, bool adds);
/// a b in bf16.
Tensor bf16_product(const Tensor& a, const Tensor& b);
/// sum += a^T b for a [N,P], b [N,Q] bf16 and sum [P,Q] fp32, by one product.
void add_product(const Tensor& sum, const Tensor& a, const Tensor& b);
/// Leaves a b (a [N,P], b [P,Q], bf16) as the gradient of a tensor of `shape`, whose last dimension is Q: in its sink
/// where it has one (then undefined is returned), else as a new tensor.
Tensor leave_product(const std::shared_ptr<Tensor>& sink, at::IntArrayRef shape, const Tensor& a, const Tensor& b);

/// Whether products of this shape run the table's algorithm here.
bool is_pinned(const ProductShape& shape);

/// cuBLASLt's own encoding of an algorithm, which its documentation lets one store for use with the same version.
using ProductAlgorithm = std::array<uint64_t, 8>;
struct PinnedProduct {
  ProductKind kind;
  ProductAlgorithm algorithm;
};
struct PinnedProducts {
  std::size_t version = 0;                       // of cuBLASLt
  int capability = 0, multiprocessors = 0;       // of the card: 90 is 9.0
  std::span<const PinnedProduct> products = {};  // ascending kinds
  /// Null where there is none.
  const PinnedProduct* find(const ProductKind& kind) const;
};
const PinnedProducts& pinned_products();

}  // namespace absorb
