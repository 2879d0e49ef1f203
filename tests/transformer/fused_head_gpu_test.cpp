// The fused head against cross entropy in double, from the same rounded logits: chunks with and without parts, rows
// and words that fill no tile, rows without a target.
#include "transformer/cuda/fused_head.cuh"

#include <fmt/format.h>

#include "tests/transformer/row_kernels.h"

namespace absorb {
namespace {

using namespace testing;

class FusedHeadGpu : public RowKernelsGpu {
 protected:
  struct Shape {
    int64_t rows, vocabulary, width;
  };
  struct Made {
    Tensor logits, losses, dh, dw;
  };

  void SetUp() override {
    RowKernelsGpu::SetUp();
    if (!IsSkipped() && !kernels::has_fused_head(1024, 128)) GTEST_SKIP() << "no kernels for this card";
  }

  static int64_t stride_of(const Shape& shape) { return (shape.vocabulary + 63) / 64 * 64; }
  static Tensor h_of(const Shape& shape) { return bf16("h", {shape.rows, shape.width}); }
  static Tensor w_of(const Shape& shape) {
    return (random("w", {stride_of(shape), shape.width}) * 0.2).to(at::kBFloat16);
  }
  static Tensor targets_of(const Shape& shape) {
    const Tensor targets =
        (uniform({stream_key(1, "targets"), {}}, {shape.rows}, at::kCPU) * static_cast<double>(shape.vocabulary))
            .to(at::kLong);
    targets[0] = -1;
    targets[shape.rows - 1] = shape.vocabulary - 1;
    return targets;
  }

  static Made make(const Shape& shape, const Tensor& dw) {
    const int64_t stride = stride_of(shape), padded = (shape.rows + 255) / 256 * 256;
    const Tensor h = h_of(shape), w = w_of(shape), targets = targets_of(shape).to(gpu(at::kLong));
    const Tensor log_sums = at::empty({padded}, gpu(at::kFloat)), words = at::empty({padded}, gpu(at::kInt));
    const Tensor scale = at::full({}, 0.125, gpu(at::kFloat));
    const Tensor workspace = space(kernels::fused_head_bytes(shape.rows, shape.width));
    const Made made{at::empty({shape.rows, stride}, gpu(at::kBFloat16)), at::empty({shape.rows}, gpu(at::kFloat)),
                    at::empty_like(h), dw};
    kernels::FusedHead call;
    call.rows = shape.rows;
    call.vocabulary = shape.vocabulary;
    call.stride = stride;
    call.width = shape.width;
    call.h = bits(h);
    call.w = bits(w);
    call.logits = bits(made.logits);
    call.targets = targets.const_data_ptr<int64_t>();
    call.losses = floats(made.losses);
    call.log_sums = floats(log_sums);
    call.word_targets = words.mutable_data_ptr<int32_t>();
    call.scale = floats(scale);
    call.dh = bits(made.dh);
    call.dw = floats(dw);
    call.workspace = workspace.data_ptr();
    kernels::head_forward(call, stream());
    kernels::head_input_gradient(call, stream());
    kernels::head_weight_gradient(call, stream());
    return made;
  }
};

TEST_F(FusedHeadGpu, AgreesWithCrossEntropy) {
  for (const Shape& shape : std::vector<Shape>{
           {300, 1100, 128}, {257, 256, 256}, {1000, 5000, 384}, {9, 1024, 256}, {640, 50257, 128}, {2, 300, 384}}) {
    SCOPED_TRACE(fmt::format("{} rows, {} words, width {}", shape.rows, shape.vocabulary, shape.width));
    const Tensor before = random("dw", {stride_of(shape), shape.width});
    const Made made = make(shape, before.clone());
    const Tensor h = twin(h_of(shape)), w = twin(w_of(shape)), targets = targets_of(shape);
    const Tensor want_logits = at::mm(h, w.t()), logits = twin(made.logits);
    const auto words = [&](const Tensor& x) { return x.narrow(1, 0, shape.vocabulary); };
    EXPECT_LT(relative(words(logits), words(want_logits)), rounded);
    if (stride_of(shape) > shape.vocabulary)
      EXPECT_EQ(logits.narrow(1, shape.vocabulary, stride_of(shape) - shape.vocabulary).max().item<double>(),
                -std::numeric_limits<double>::infinity());
    const Tensor leaf = words(logits).contiguous().requires_grad_();
    const Tensor want = at::cross_entropy_loss(leaf, targets, {}, at::Reduction::None, /*ignore_index=*/-1);
    EXPECT_LT(relative(made.losses, want.detach()), fp32);
    (want.sum() * 0.125).backward();
    EXPECT_LT(relative(made.dh, at::mm(leaf.grad(), words(w.t()).t())), 1.5 * rounded);
    const Tensor added = twin(made.dw) - twin(before);
    EXPECT_LT(relative(added.narrow(0, 0, shape.vocabulary), at::mm(leaf.grad().t(), h)), rounded);
    EXPECT_TRUE(at::equal(made.dw.narrow(0, shape.vocabulary, stride_of(shape) - shape.vocabulary),
                          before.narrow(0, shape.vocabulary, stride_of(shape) - shape.vocabulary)));
  }
}

TEST_F(FusedHeadGpu, SameBitsTwice) {
  const Shape shape{1500, 50257, 256};
  const Made once = make(shape, at::zeros({stride_of(shape), shape.width}, gpu(at::kFloat)));
  const Made again = make(shape, at::zeros({stride_of(shape), shape.width}, gpu(at::kFloat)));
  EXPECT_TRUE(at::equal(once.logits, again.logits));
  EXPECT_TRUE(at::equal(once.losses, again.losses));
  EXPECT_TRUE(at::equal(once.dh, again.dh));
  EXPECT_TRUE(at::equal(once.dw, again.dw));
}

}  // namespace
}  // namespace absorb
