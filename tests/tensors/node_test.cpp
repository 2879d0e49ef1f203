// Hand-written backward passes: what they return, what is left in sinks, and what is refused.
#include "tensors/node.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include "core/error.h"

namespace absorb {
namespace {

// factor * x, whose gradient is returned, or left in x's sink where it has one.
Tensor scaled(const Tensor& x, double factor, bool into_sink) {
  const Tensor y = x.detach() * factor;
  record({y}, {x}, [factor, sink = into_sink ? sink_of(x) : nullptr](const Tensors& gradients) -> Tensors {
    const Tensor dx = gradients[0] * factor;
    if (!sink) return {dx};
    *sink = sink->defined() ? *sink + dx : dx;
    return {Tensor()};
  });
  return y;
}

TEST(CoreNode, ReturnsTheGradientThatItsBackwardPassSays) {
  const Tensor x = at::arange(3, at::kDouble).requires_grad_();
  scaled(scaled(x, 2, false), 5, false).sum().backward();
  EXPECT_TRUE(at::equal(x.grad(), at::full({3}, 10.0, at::kDouble)));
}

TEST(CoreNode, AddsWhatConsumersLeaveInASinkToWhatAutogradBrings) {
  const Tensor x = at::ones({3}, at::kDouble).requires_grad_();
  const Tensor y = scaled(x, 2, false);
  (scaled(y, 3, true) + scaled(y, 5, true) + y * 7).sum().backward();
  EXPECT_TRUE(at::equal(x.grad(), at::full({3}, 2.0 * (3 + 5 + 7), at::kDouble)));
}

TEST(CoreNode, HasASinkWhereItsOwnOperationMadeTheTensorAlone) {
  const Tensor x = at::ones({3}, at::kDouble).requires_grad_();
  const Tensor y = scaled(x, 2, false);
  EXPECT_NE(sink_of(y), nullptr);
  EXPECT_EQ(sink_of(x), nullptr);
  EXPECT_EQ(sink_of(y * 2), nullptr);
  EXPECT_EQ(sink_of(y.view({3, 1})), nullptr);
}

TEST(CoreNode, RecordsNothingWhereNobodyAsksForAGradient) {
  const Tensor fixed = at::ones({3}, at::kDouble), x = at::ones({3}, at::kDouble).requires_grad_();
  EXPECT_FALSE(scaled(fixed, 2, false).requires_grad());
  const at::NoGradGuard no_grad;
  EXPECT_FALSE(scaled(x, 2, false).requires_grad());
}

TEST(CoreNode, RefusesASecondBackwardPass) {
  const Tensor x = at::ones({3}, at::kDouble).requires_grad_();
  const Tensor y = scaled(x, 2, false), sum = y.sum();
  sum.backward({}, /*retain_graph=*/false);
  EXPECT_ANY_THROW(y.sum().backward());
}

}  // namespace
}  // namespace absorb
