// Embeddings and their gradients against the composition in double, and the same bits every time.
#include "transformer/cuda/embedding.cuh"

#include "tests/transformer/row_kernels.h"

namespace absorb {
namespace {

using namespace testing;

class EmbeddingGpu : public RowKernelsGpu {};

struct Case {
  int64_t batch, items, width, vocabulary;
  double skew;  // tokens are vocabulary * u^skew: the larger, the longer the runs of equal tokens
};

TEST_F(EmbeddingGpu, AgreesWithTheComposition) {
  for (const auto& [batch, items, width, vocabulary, skew] : std::vector<Case>{{1, 1, 4, 2, 1},
                                                                               {3, 17, 64, 50, 1},
                                                                               {16, 256, 256, 256, 3},
                                                                               {4, 64, 384, 50257, 1},
                                                                               {5, 200, 128, 300, 999},
                                                                               {9, 512, 8, 1 << 20, 9}})
    for (const double rate : {0.0, 0.1}) {
      const int64_t rows = batch * items;
      const Tensor tokens = (uniform({stream_key(1, "tokens"), {}}, {batch, items}, at::kCPU).pow(skew) * vocabulary)
                                .to(at::kLong)
                                .clamp_max(vocabulary - 1);
      const Tensor on_gpu = tokens.to(gpu(at::kLong)), token = random("token", {vocabulary, width});
      const Tensor position = random("position", {items + 3, width}), x = at::empty({rows, width}, gpu(at::kFloat));
      const int64_t* ids = on_gpu.const_data_ptr<int64_t>();
      kernels::embedding_forward({.rows = rows,
                                  .items = items,
                                  .width = width,
                                  .tokens = ids,
                                  .token = floats(token),
                                  .position = floats(position),
                                  .dropout = dropout(rate),
                                  .x = floats(x)},
                                 stream());
      const Tensor table = twin(token).requires_grad_(), places = twin(position).requires_grad_();
      const Tensor want =
          (at::embedding(table, tokens) + places.narrow(0, 0, items)).view({rows, width}) * mask(rate, {rows, width});
      EXPECT_LT(relative(x, want.detach()), 1e-6) << vocabulary;

      const Tensor dx = bf16("dx", {rows, width}), sorted = space(kernels::sort_tokens_bytes(rows));
      want.backward(twin(dx));
      const Tensor workspace = space(kernels::embedding_backward_bytes(rows, width));
      std::vector<Tensor> gradients;
      for (int repeat = 0; repeat < 2; ++repeat) {
        const Tensor dtoken = at::zeros_like(token), dposition = at::zeros_like(position);
        kernels::sort_tokens(ids, rows, vocabulary, sorted.mutable_data_ptr(), stream());
        kernels::embedding_backward({.rows = rows,
                                     .items = items,
                                     .width = width,
                                     .vocabulary = vocabulary,
                                     .sorted = sorted.const_data_ptr(),
                                     .dx = bits(dx),
                                     .dropout = dropout(rate),
                                     .dtoken = floats(dtoken),
                                     .dposition = floats(dposition),
                                     .workspace = workspace.mutable_data_ptr()},
                                    stream());
        gradients.push_back(dtoken);
        gradients.push_back(dposition);
      }
      EXPECT_LT(relative(gradients[0], table.grad()), fp32) << vocabulary;
      EXPECT_LT(relative(gradients[1], places.grad()), fp32) << vocabulary;
      EXPECT_TRUE(at::equal(gradients[0], gradients[2]) && at::equal(gradients[1], gradients[3])) << vocabulary;
    }
}

}  // namespace
}  // namespace absorb
