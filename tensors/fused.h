// What fused kernels need besides the tensors themselves: the parameters in bf16, and where gradients of parameters go
// in fp32 without passing through autograd. A pass that carries one runs kernels where there are some and LibTorch's
// composition elsewhere; a pass without one is the definition.
#pragma once

#include "tensors/cuda/column_sums.cuh"
#include "tensors/node.h"
#include "tensors/parameters.h"
#include "tensors/pass.h"

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

/// x W^T over the last dimension of x, like at::linear: W [M,K]. Where the pass has fused weights and W is a parameter:
/// in bf16, with W's gradient added to the flat fp32 gradient by the product itself.
Tensor linear(const Tensor& x, const Tensor& weight, const Pass& pass);
/// linear(), and in the same product those of the parameters that lie behind W and share its input
/// (Parameters::gather): linear() of this x finds them in `pass` until products are cleared.
Tensor linear_with_followers(const Tensor& x, const Tensor& weight, Pass& pass);
/// A place for the gradient of a tensor in the memory that its producer takes gradients from: nothing has to be moved.
/// Found in the forward pass, made in the backward one.
struct GradientHome {
  std::shared_ptr<Tensor> buffer;  // null: there is none
  std::vector<int64_t> whole;      // sizes of the buffer
  std::vector<int64_t> sizes, strides;
  int64_t offset = 0;
  at::TensorOptions options;
  /// Of the tensor's sizes and strides; undefined where there is none.
  Tensor get() const;
};
GradientHome gradient_home(const Tensor& y, const Pass& pass);
/// The same of x W: W [K,M].
Tensor product(const Tensor& x, const Tensor& weight, const Pass& pass);

/// sum += a^T b for a [N,P], b [N,Q] bf16 and sum [P,Q] fp32, by one product.
void add_product(const Tensor& sum, const Tensor& a, const Tensor& b);
/// Leaves a b (a [N,P], b [P,Q], bf16) as the gradient of `x`, whose last dimension is Q: in its sink where it has one
/// (then undefined is returned), else as a new tensor of x's shape.
Tensor leave_product(const std::shared_ptr<Tensor>& sink, at::IntArrayRef shape, const Tensor& a, const Tensor& b);

/// One line on the error stream the first time that `what` (an operation and why) is computed by LibTorch's composition
/// in a run that asked for fused kernels.
void say_composed(const std::string& what);

/// Operations below the guard run as autocast has them, products in bf16 and reductions in fp32; not `on`: as their
/// operands have them, whatever guard stands above.
class AutocastGuard {
 public:
  AutocastGuard(bool on, at::Device device);
  ~AutocastGuard();
  AutocastGuard(const AutocastGuard&) = delete;
  AutocastGuard& operator=(const AutocastGuard&) = delete;

 private:
  bool before_;
  at::DeviceType type_;
  at::ScalarType type_before_;
};

}  // namespace absorb
