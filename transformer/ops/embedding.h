// What the residual stream starts with. embed() chooses between the kernels (embedding_fused.cpp) and the composition,
// which is the definition (embedding.cpp).
#pragma once

#include "tensors/parameters.h"
#include "tensors/pass.h"

namespace absorb {

/// The embedding's name among the writers of the stream, and that of its dropout.
inline constexpr const char* embedding_site = "embedding";

struct Embedding {
  Tensor token, position;  // [V,D]; [context,D], or undefined where layers turn by position
  double dropout = 0;
};
/// The tables of so many tokens and positions (0: none), added below `parameters`.
Embedding make_embedding(const Parameters& parameters, int64_t vocabulary, int64_t positions, int64_t width, Init init);

/// dropout(token[tokens] + position), as the pass's writer has it: [B,T,D] from tokens [B,T] int64, T at most context.
Tensor embed(const Tensor& tokens, const Embedding& embedding, const Pass& pass);
Tensor embed_composition(const Tensor& tokens, const Embedding& embedding, const Pass& pass);
/// Empty where it has a kernel, else why not.
std::string why_no_embed_kernel(const Embedding& embedding);
/// In a pass that runs kernels: fp32.
Tensor embed_by_kernel(const Tensor& tokens, const Embedding& embedding, const Pass& pass);

}  // namespace absorb
