#include "transformer/ops/embedding.h"

#include <torch/types.h>

#include "tensors/kernels/kernel_choice.h"

namespace absorb {

Embedding make_embedding(const Parameters& parameters, int64_t vocabulary, int64_t context, int64_t width, Init init) {
  Embedding embedding;
  embedding.token = parameters.add("embedding.token", {vocabulary, width}, init, {-1, Part::embedding, 0});
  embedding.position = parameters.add("embedding.position", {context, width}, init, {-1, Part::embedding, 1});
  return embedding;
}

Tensor embed_composition(const Tensor& tokens, const Embedding& embedding, const Pass& pass) {
  const Tensor x = at::embedding(embedding.token, tokens) + embedding.position.narrow(0, 0, tokens.size(1));  // [B,T,D]
  return pass.dropout(x, embedding.dropout, embedding_site);
}

Tensor embed(const Tensor& tokens, const Embedding& embedding, const Pass& pass) {
  return pass.written(embedding_site, runs_kernel(pass) ? embed_by_kernel(tokens, embedding, pass)
                                                        : embed_composition(tokens, embedding, pass));
}

}  // namespace absorb
