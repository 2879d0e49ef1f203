// Loss and gradient of the logits, in place, against at::cross_entropy_loss in double.
#include "transformer/cuda/head.cuh"

#include "tests/transformer/row_kernels.h"

namespace absorb {
namespace {

using namespace testing;

class HeadGpu : public RowKernelsGpu {};

TEST_F(HeadGpu, AgreesWithCrossEntropy) {
  struct Shape {
    int64_t rows, vocabulary, stride;
  };
  for (const auto& [rows, vocabulary, stride] :
       std::vector<Shape>{{9, 5, 64}, {100, 256, 256}, {12, 1025, 1088}, {64, 50257, 50304}, {3, 131072, 131072}})
    for (const double spread : {1.0, 10.0}) {
      const Tensor logits = (random("logits", {rows, stride}) * spread).to(at::kBFloat16);
      logits.narrow(1, vocabulary, stride - vocabulary).fill_(std::numeric_limits<float>::quiet_NaN());
      Tensor targets = (uniform({stream_key(1, "targets"), {}}, {rows}, at::kCPU) * vocabulary).to(at::kLong);
      targets[0] = -1;
      targets[1] = vocabulary - 1;
      const Tensor leaf = twin(logits).narrow(1, 0, vocabulary).contiguous().requires_grad_();
      const Tensor want = at::cross_entropy_loss(leaf, targets, {}, at::Reduction::None, /*ignore_index=*/-1);
      want.sum().backward();
      const Tensor on_gpu = targets.to(gpu(at::kLong)), losses = at::empty({rows}, gpu(at::kFloat));
      const Tensor untouched = logits.clone();
      kernels::HeadLoss call{.rows = rows,
                             .vocabulary = vocabulary,
                             .stride = stride,
                             .logits = bits(logits),
                             .targets = on_gpu.const_data_ptr<int64_t>(),
                             .losses = floats(losses)};
      kernels::head_loss(call, stream());
      EXPECT_LT(relative(losses, want.detach()), fp32) << vocabulary;
      EXPECT_TRUE(at::equal(logits.view(at::kShort), untouched.view(at::kShort))) << vocabulary;
      const Tensor alone = losses.clone();
      call.gradient = true;
      kernels::head_loss(call, stream());
      EXPECT_TRUE(at::equal(losses, alone)) << vocabulary;
      EXPECT_LT(relative(logits.narrow(1, 0, vocabulary), leaf.grad()), rounded) << vocabulary;
      EXPECT_EQ(logits.narrow(1, vocabulary, stride - vocabulary).count_nonzero().item<int64_t>(), 0) << vocabulary;
    }
}

TEST_F(HeadGpu, ScalesRows) {
  const Tensor h = bf16("h", {77, 384}), scale = random("scale", {77}), out = at::empty_like(h);
  kernels::scale_rows(bits(h), floats(scale), bits(out), 77, 384, stream());
  EXPECT_TRUE(at::equal(out, (h.to(at::kFloat) * scale.unsqueeze(1)).to(at::kBFloat16)));
}

}  // namespace
}  // namespace absorb
