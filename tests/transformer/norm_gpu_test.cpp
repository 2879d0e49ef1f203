// The norm's kernels against at::layer_norm and its gradient in double.
#include "transformer/cuda/norm.cuh"

#include "tests/transformer/row_kernels.h"

namespace absorb {
namespace {

using namespace testing;

class NormGpu : public RowKernelsGpu {};

struct Case {
  int64_t rows, width;
  double rate;
};

TEST_F(NormGpu, AgreesWithLayerNorm) {
  for (const auto& [rows, width, rate] : std::vector<Case>{{1, 72, 0},
                                                           {5, 8, 0},
                                                           {37, 256, 0.1},
                                                           {3000, 384, 0.1},
                                                           {65, 768, 0},
                                                           {33, 1000, 0.1},
                                                           {9, 2048, 0},
                                                           {5, 4096, 0.1}}) {
    const Tensor x = random("x", {rows, width}), y = bf16("y", {rows, width}), y_bias = random("y_bias", {width});
    const Tensor gamma = random("gamma", {width}), beta = random("beta", {width});
    const Tensor x_out = at::empty_like(x), h = at::empty_like(y), mean = at::empty({rows}, x.options());
    const Tensor rstd = at::empty_like(mean);
    kernels::norm_forward({.rows = rows,
                           .width = width,
                           .x = floats(x),
                           .y = bits(y),
                           .y_bias = floats(y_bias),
                           .dropout = dropout(rate),
                           .gamma = floats(gamma),
                           .beta = floats(beta),
                           .x_out = floats(x_out),
                           .h = bits(h),
                           .mean = floats(mean),
                           .rstd = floats(rstd)},
                          stream());
    const Tensor keep = mask(rate, {rows, width});
    const Tensor leaf = twin(y).requires_grad_(), bias = twin(y_bias).requires_grad_();
    const Tensor weight = twin(gamma).requires_grad_(), shift = twin(beta).requires_grad_();
    const Tensor stream_in = twin(x).requires_grad_();
    const Tensor stream_out = stream_in + (leaf + bias) * keep;
    const Tensor want = at::layer_norm(stream_out, {width}, weight, shift);
    EXPECT_LT(relative(x_out, stream_out.detach()), 1e-6) << rows << " x " << width;
    EXPECT_LT(relative(h, want.detach()), rounded) << rows << " x " << width;

    const Tensor dh = bf16("dh", {rows, width}), dx = bf16("dx", {rows, width}), dy = at::empty_like(dh);
    ((want * twin(dh)).sum() + (stream_out * twin(dx)).sum()).backward();
    const Tensor dgamma = at::zeros_like(gamma), dbeta = at::zeros_like(gamma), dy_bias = at::zeros_like(gamma);
    std::vector<kernels::ColumnSums> later(2);  // the first stays empty: a sum of nothing
    const Tensor workspace = space(kernels::norm_backward_bytes(rows, width));
    kernels::norm_backward({.rows = rows,
                            .width = width,
                            .dh = bits(dh),
                            .dx_next = bits(dx),
                            .x = floats(x_out),
                            .mean = floats(mean),
                            .rstd = floats(rstd),
                            .gamma = floats(gamma),
                            .dropout = dropout(rate),
                            .dx = bits(dx),
                            .dy = rate == 0 ? nullptr : bits(dy),
                            .dgamma = floats(dgamma),
                            .dbeta = floats(dbeta),
                            .dy_bias = floats(dy_bias),
                            .workspace = workspace.mutable_data_ptr(),
                            .later = &later[1]},
                           stream());
    EXPECT_EQ(dgamma.count_nonzero().item<int64_t>(), 0);
    kernels::add_column_sums(later.data(), 2, stream());
    EXPECT_LT(relative(dx, stream_in.grad()), rounded) << rows << " x " << width;
    if (rate != 0) EXPECT_LT(relative(dy, leaf.grad()), rounded) << rows << " x " << width;
    EXPECT_LT(relative(dgamma, weight.grad()), fp32) << rows << " x " << width;
    EXPECT_LT(relative(dbeta, shift.grad()), fp32) << rows << " x " << width;
    EXPECT_LT(relative(dy_bias, bias.grad()), fp32) << rows << " x " << width;
  }
}

}  // namespace
}  // namespace absorb
