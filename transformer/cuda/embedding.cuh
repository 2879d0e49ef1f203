// Token and position embeddings, and their gradients without atomics: token ids are sorted (stably, so that equal ones
// stay in order) and runs of equal ids are summed in one order. Sorting needs the tokens alone: it can run ahead of the
// backward pass, once for a batch. Launchers neither allocate nor synchronise.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensors/cuda/types.h"

namespace absorb::kernels {

/// x[n] = dropout(token[tokens[n]] + position[n % T]). D is a multiple of 4; pointers are aligned to 16 bytes.
struct EmbeddingForward {
  int64_t rows = 0, items = 0, width = 0;  // N = B T, T, D
  const int64_t* tokens = nullptr;         // [N], in [0, V)
  const float* token = nullptr;            // [V,D]
  const float* position = nullptr;         // [at least T, D]
  Dropout dropout;                         // element (n, d) has index n D + d
  float* x = nullptr;                      // [N,D]
};
void embedding_forward(const EmbeddingForward& call, void* stream);

/// Sorts tokens [N] in [0, vocabulary) into `sorted`, of sort_tokens_bytes(rows), for embedding_backward.
void sort_tokens(const int64_t* tokens, int64_t rows, int64_t vocabulary, void* sorted, void* stream);
size_t sort_tokens_bytes(int64_t rows);

/// dtoken[v] += sum of mask dx[n] over the n with tokens[n] == v; dposition[t] += sum over n % T == t. Sums in fp32.
/// (A norm's backward that comes before can apply the mask on its way, as its dy; then no dropout is needed here.)
struct EmbeddingBackward {
  int64_t rows = 0, items = 0, width = 0;  // N = B T, T, D
  int64_t vocabulary = 0;                  // V, as for sort_tokens
  const void* sorted = nullptr;            // what sort_tokens wrote
  const Bf16* dx = nullptr;                // [N,D]
  Dropout dropout;                         // the forward's
  float* dtoken = nullptr;                 // [V,D], or null: not wanted (nor is `sorted` then)
  float* dposition = nullptr;              // [at least T, D], or null: not wanted
  void* workspace = nullptr;               // embedding_backward_bytes
};
void embedding_backward(const EmbeddingBackward& call, void* stream);
size_t embedding_backward_bytes(int64_t rows, int64_t width);

}  // namespace absorb::kernels
