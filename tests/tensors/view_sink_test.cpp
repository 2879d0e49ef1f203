// Operations that read one view leave one gradient: whoever comes second adds to it in place.
#include "tensors/view_sink.h"

#include <gtest/gtest.h>
#include <torch/types.h>

namespace absorb {
namespace {

// 2 x, made by record(); keeps the gradient that it got.
Tensor doubled(const Tensor& x, Tensor* arrived) {
  const Tensor y = x.detach() * 2;
  record({y}, {x}, [arrived](const Tensors& gradients) -> Tensors {
    *arrived = gradients[0];
    return {gradients[0] * 2};
  });
  return y;
}

// factor * sum of x: leaves its gradient, or adds it to what was left; `memory` says where the gradient was put.
Tensor reader(const Tensor& x, double factor, const void** memory) {
  const Tensor y = x.detach().sum() * factor;
  record({y}, {x}, [=, sink = ViewSink(x), like = x.detach()](const Tensors& gradients) -> Tensors {
    const Tensor dx = at::ones_like(like) * gradients[0] * factor;
    if (const Tensor left = sink.left(); left.defined()) {
      left.add_(dx);
      *memory = left.const_data_ptr();
      return {Tensor()};
    }
    *memory = dx.const_data_ptr();
    return {sink.leave(dx) ? Tensor() : dx};
  });
  return y;
}

struct Both {
  Tensor arrived, x;
  const void *first = nullptr, *second = nullptr;
};

Both through(const std::function<Tensor(const Tensor&)>& view) {
  Both b;
  b.x = at::arange(12, at::kDouble).view({3, 4}).requires_grad_();
  const Tensor seen = view(doubled(b.x, &b.arrived));
  (reader(seen, 3, &b.first) + reader(seen, 5, &b.second)).backward();
  return b;
}

TEST(CoreViewSink, ReadersOfATransposeAddToOneGradient) {
  const Both b = through([](const Tensor& y) { return y.view({3, 2, 2}).transpose(0, 1); });
  EXPECT_EQ(b.first, b.second);
  EXPECT_EQ(b.arrived.const_data_ptr(), b.first);
  EXPECT_EQ(b.arrived.sizes(), at::IntArrayRef({3, 4}));
  EXPECT_TRUE(at::equal(b.x.grad(), at::full({3, 4}, 16.0, at::kDouble)));
}

TEST(CoreViewSink, KeepsThePlaceOfEveryNumber) {
  Tensor arrived;
  const Tensor x = at::zeros({2, 3}, at::kDouble).requires_grad_(), y = doubled(x, &arrived), seen = y.t();
  const Tensor weights = at::arange(6, at::kDouble).view({2, 3}), z = (seen.detach() * weights.t()).sum();
  record({z}, {seen}, [sink = ViewSink(seen), weights](const Tensors&) -> Tensors {
    EXPECT_TRUE(sink.leave(weights.t()));
    return {Tensor()};
  });
  z.backward();
  EXPECT_TRUE(at::equal(arrived, weights));
}

TEST(CoreViewSink, LeavesAPartAndAStrangersTensorToAutograd) {
  Both b = through([](const Tensor& y) { return y.narrow(0, 0, 2); });
  EXPECT_NE(b.first, b.second);
  EXPECT_TRUE(at::equal(b.x.grad().narrow(0, 0, 2), at::full({2, 4}, 16.0, at::kDouble)));
  EXPECT_EQ(b.x.grad().select(0, 2).abs().max().item<double>(), 0);
  b = through([](const Tensor& y) { return y * 1; });
  EXPECT_NE(b.first, b.second);
  EXPECT_TRUE(at::equal(b.x.grad(), at::full({3, 4}, 16.0, at::kDouble)));
}

TEST(CoreViewSink, RefusesAGradientThatLiesOtherwise) {
  Tensor arrived;
  const Tensor x = at::zeros({2, 3}, at::kDouble).requires_grad_(), seen = doubled(x, &arrived).t();
  EXPECT_FALSE(ViewSink(seen).leave(at::ones({3, 2}, at::kDouble)));
  EXPECT_FALSE(ViewSink(seen).left().defined());
}

}  // namespace
}  // namespace absorb
