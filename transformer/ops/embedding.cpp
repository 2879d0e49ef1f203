#include "transformer/ops/embedding.h"

#include <torch/types.h>

#include "tensors/kernels/kernel_choice.h"

namespace absorb {

Embedding make_embedding(const Parameters& parameters, int64_t vocabulary, int64_t positions, int64_t width,
                         Init init) {
  Embedding embedding;
  embedding.token = parameters.add("embedding.token", {vocabulary, width}, init, {-1, Part::embedding, 0});
  if (positions > 0)
    embedding.position = parameters.add("embedding.position", {positions, width}, init, {-1, Part::embedding, 1});
  return embedding;
}

Tensor embed_composition(const Tensor& tokens, const Embedding& embedding, const Pass& pass) {
  Tensor x = at::embedding(embedding.token, tokens);  // [B,T,D]
  if (embedding.position.defined()) x = x + embedding.position.narrow(0, 0, tokens.size(1));
  return pass.dropout(x, embedding.dropout, embedding_site);
}

std::string why_no_embed_kernel(const Embedding& embedding) {
  return embedding.position.defined() ? "" : "an embedding without positions";
}

Tensor embed(const Tensor& tokens, const Embedding& embedding, const Pass& pass) {
  const bool kernel = runs_kernel(pass, [&] { return why_no_embed_kernel(embedding); });
  return pass.written(embedding_site,
                      kernel ? embed_by_kernel(tokens, embedding, pass) : embed_composition(tokens, embedding, pass));
}

}  // namespace absorb
