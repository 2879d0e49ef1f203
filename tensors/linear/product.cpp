#include "tensors/linear/product.h"

#include <torch/types.h>

#include <algorithm>

#include "core/error.h"

namespace absorb {
namespace {

struct Stored {
  bool transposed;
  int64_t stride;
};

// A dimension of one element may have any stride, and its neighbour's says nothing then.
Stored stored(const Tensor& x, const char* name) {
  check(x.dim() == 2, "[product] {} has {} dimensions", name, x.dim());
  const int64_t rows = x.size(0), columns = x.size(1);
  if ((x.stride(1) == 1 || columns == 1) && (x.stride(0) >= columns || rows == 1))
    return {false, std::max(x.stride(0), columns)};
  check((x.stride(0) == 1 || rows == 1) && (x.stride(1) >= rows || columns == 1), "[product] {} is strided {} and {}",
        name, x.stride(0), x.stride(1));
  return {true, std::max(x.stride(1), rows)};
}

// The largest power of two up to 16 that divides all of them.
int64_t alignment_of(std::initializer_list<uint64_t> bytes) {
  uint64_t all = 16;
  for (const uint64_t b : bytes) all |= b;
  return static_cast<int64_t>(all & (~all + 1));
}

uint64_t address(const Tensor& x) {
  return reinterpret_cast<uint64_t>(x.const_data_ptr());
}

}  // namespace

ProductShape product_shape(const Tensor& a, const Tensor& b, const Tensor& out, bool adds) {
  check(a.scalar_type() == at::kBFloat16 && b.scalar_type() == at::kBFloat16, "[product] of {} and {}",
        toString(a.scalar_type()), toString(b.scalar_type()));
  const bool fp32 = out.scalar_type() == at::kFloat;
  check(fp32 || out.scalar_type() == at::kBFloat16, "[product] into {}", toString(out.scalar_type()));
  const Stored left = stored(a, "a"), right = stored(b, "b"), result = stored(out, "out");
  check(!result.transposed, "[product] out isn't stored by rows");
  check(a.size(1) == b.size(0) && out.size(0) == a.size(0) && out.size(1) == b.size(1),
        "[product] of {} x {} and {} x {} into {} x {}", a.size(0), a.size(1), b.size(0), b.size(1), out.size(0),
        out.size(1));
  const auto bytes = [](int64_t stride, int64_t size) { return static_cast<uint64_t>(stride * size); };
  return {{a.size(0), a.size(1), b.size(1), left.transposed, right.transposed, fp32, adds},
          left.stride,
          right.stride,
          result.stride,
          alignment_of({address(a), address(b), address(out), bytes(left.stride, 2), bytes(right.stride, 2),
                        bytes(result.stride, fp32 ? 4 : 2)})};
}

Tensor bf16_product(const Tensor& a, const Tensor& b) {
  Tensor out = at::empty({a.size(0), b.size(1)}, a.options());
  multiply_into(out, a, b, false);
  return out;
}

void add_product(const Tensor& sum, const Tensor& a, const Tensor& b) {
  multiply_into(sum, a.t(), b, /*adds=*/true);
}

Tensor leave_product(const std::shared_ptr<Tensor>& sink, at::IntArrayRef shape, const Tensor& a, const Tensor& b) {
  if (sink == nullptr) return bf16_product(a, b).view(shape);
  if (!sink->defined())
    *sink = bf16_product(a, b).view(shape);
  else
    multiply_into(sink->view({a.size(0), b.size(1)}), a, b, /*adds=*/true);
  return {};
}

const PinnedProduct* PinnedProducts::find(const ProductKind& kind) const {
  const auto found = std::lower_bound(products.begin(), products.end(), kind,
                                      [](const PinnedProduct& p, const ProductKind& k) { return p.kind < k; });
  return found != products.end() && found->kind == kind ? &*found : nullptr;
}

}  // namespace absorb
