// What kernels need besides the tensors themselves: the parameters in bf16, and where gradients of parameters go in
// fp32 without passing through autograd. A pass that carries one runs kernels where there are some and LibTorch's
// composition elsewhere; a pass without one is the definition.
#pragma once

#include "tensors/cuda/column_sums.cuh"
#include "tensors/node.h"
#include "tensors/parameters.h"

namespace absorb {

class FusedWeights {
 public:
  /// `parameters` are gathered on a GPU.
  explicit FusedWeights(const Parameters& parameters);

  /// The bf16 twin of a leaf, or of a contiguous part of one, with its shape; undefined where x isn't in the flat
  /// storage. `rows` above x.size(0) reads on into what is stored behind x (a product that is padded to a multiple of
  /// 64 rows takes whatever lies there and leaves it out later); undefined where nothing does.
  Tensor bf16(const Tensor& x, int64_t rows = 0) const;
  /// The same view of the flat fp32 gradient.
  Tensor gradient(const Tensor& x, int64_t rows = 0) const;
  /// The parameters behind `weight` that share its input.
  Tensors followers(const Tensor& weight) const;
  /// Where a hand-written backward pass adds a parameter's gradient; undefined where it isn't trained.
  Tensor gradient_of(const Tensor& parameter) const;
  /// During a backward pass: adds these sums over rows at its end, all of them in one launch. `partials` is the memory
  /// that they are of.
  void add_later(const kernels::ColumnSums& sums, Tensor partials) const;
  /// All of the bf16 copy, [all numbers]: the optimiser writes it.
  const Tensor& flat_bf16() const { return copy_; }
  /// Copies the parameters anew: after anything but the optimiser changed them.
  void refresh() const;

 private:
  Tensor view(const Tensor& of, const Tensor& x, int64_t rows) const;
  Parameters parameters_;
  Tensor copy_;  // [all numbers] bf16
  struct Later {
    std::vector<kernels::ColumnSums> sums;
    Tensors partials;
  };
  std::shared_ptr<Later> later_ = std::make_shared<Later>();  // of the backward pass under way
};

}  // namespace absorb
