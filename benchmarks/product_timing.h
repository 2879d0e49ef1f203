// Times one matrix product over matrices that the second-level cache doesn't hold: for pin_products.cpp alone.
#pragma once

#include <torch/types.h>

#include <ATen/cuda/CUDAGraph.h>
#include <c10/core/Event.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <vector>

#include "studies/cost/bench.h"
#include "tensors/cuda/product_plan.h"

namespace absorb {

// As many copies of a product's matrices as a second-level cache can't hold.
class Matrices {
 public:
  explicit Matrices(const ProductShape& shape) : shape_(shape) {
    const ProductKind& k = shape.kind;
    const double bytes = 2.0 * static_cast<double>(k.rows * k.inner + k.inner * k.columns) +
                         (k.fp32 ? 4.0 : 2.0) * static_cast<double>(k.rows * k.columns);
    const int copies = std::clamp(static_cast<int>(100e6 / bytes) + 1, 1, 24);
    for (int i = 0; i < copies; ++i) sets_.push_back(make());
  }
  struct Set {
    Tensor a, b, out;
  };
  const Set& next() { return sets_[turn_++ % sets_.size()]; }
  const ProductShape& shape() const { return shape_; }

 private:
  static Tensor matrix(int64_t rows, int64_t columns, bool transposed, int64_t stride, at::ScalarType type) {
    const auto options = at::TensorOptions().dtype(type).device(at::kCUDA);
    const Tensor whole = at::empty({transposed ? columns : rows, stride}, options).normal_();
    const Tensor part = whole.narrow(1, 0, transposed ? rows : columns);
    return transposed ? part.t() : part;
  }
  Set make() const {
    const ProductKind& k = shape_.kind;
    return {matrix(k.rows, k.inner, k.a_transposed, shape_.a_stride, at::kBFloat16),
            matrix(k.inner, k.columns, k.b_transposed, shape_.b_stride, at::kBFloat16),
            matrix(k.rows, k.columns, false, shape_.out_stride, k.fp32 ? at::kFloat : at::kBFloat16)};
  }
  ProductShape shape_;
  std::vector<Set> sets_;
  std::size_t turn_ = 0;
};

using Launch = std::function<void(const Matrices::Set&)>;

inline double milliseconds(const std::function<void()>& work) {
  const c10::Stream stream = c10::impl::VirtualGuardImpl(at::kCUDA).getStream(at::Device(at::kCUDA, 0));
  c10::Event begin(at::kCUDA, c10::EventFlag::BACKEND_DEFAULT), end(at::kCUDA, c10::EventFlag::BACKEND_DEFAULT);
  begin.record(stream);
  work();
  end.record(stream);
  end.synchronize();
  return begin.elapsedTime(end);
}

inline double microseconds_each(const Launch& launch, Matrices& matrices, int repeats) {
  return 1e3 / repeats * milliseconds([&] {
           for (int i = 0; i < repeats; ++i) launch(matrices.next());
         });
}

// A few milliseconds of launches in one graph: nothing but the kernels is timed.
class Replay {
 public:
  Replay(const Launch& launch, Matrices& matrices, double guess_us)
      : repeats_(std::clamp(static_cast<int>(2000 / guess_us), 3, 100)) {
    graph_->capture_begin({0, 0}, cudaStreamCaptureModeThreadLocal);
    for (int i = 0; i < repeats_; ++i) launch(matrices.next());
    graph_->capture_end();
    graph_->replay();
  }
  void time() {
    times_.push_back(1e3 / repeats_ * milliseconds([&] { graph_->replay(); }));
  }
  double us() const { return median(times_); }

 private:
  int repeats_;
  std::unique_ptr<at::cuda::CUDAGraph> graph_ = std::make_unique<at::cuda::CUDAGraph>();
  StepTimes times_;
};

}  // namespace absorb
