// The embedding's kernels as a node of autograd.
#include <torch/types.h>

#include "tensors/kernels/kernel_arguments.h"
#include "tensors/linear/fused_weights.h"
#include "transformer/cuda/embedding.cuh"
#include "transformer/ops/embedding.h"

namespace absorb {

Tensor embed_by_kernel(const Tensor& tokens, const Embedding& embedding, const Pass& pass) {
  const Tensor &token = embedding.token, &position = embedding.position;
  const int64_t batch = tokens.size(0), items = tokens.size(1), width = token.size(1), rows = batch * items;
  const Tensor ids = tokens.contiguous(), x = empty_like_on(token, {batch, items, width}, at::kFloat);
  kernels::EmbeddingForward call;
  call.rows = rows;
  call.items = items;
  call.width = width;
  call.tokens = read<int64_t>(ids);
  call.token = read<float>(token);
  call.position = read<float>(position);
  call.dropout = dropout_of(pass, embedding.dropout, embedding_site);
  call.x = write<float>(x);
  kernels::embedding_forward(call, stream_for(x));
  kernels::EmbeddingBackward back;
  back.rows = rows;
  back.items = items;
  back.width = width;
  back.vocabulary = token.size(0);
  back.dropout = call.dropout;
  const Tensor dtoken = pass.in.fused->gradient_of(token), dposition = pass.in.fused->gradient_of(position);
  record({x}, {token, position}, [=, step = pass.in.step](const Tensors& gradients) -> Tensors {
    const Tensor dx = gradients[0].to(at::kBFloat16).contiguous();
    const Tensor sorted = workspace_of(kernels::sort_tokens_bytes(rows), dx);
    const Tensor workspace = workspace_of(kernels::embedding_backward_bytes(rows, width), dx);
    kernels::EmbeddingBackward b = back;
    if (dtoken.defined())
      kernels::sort_tokens(read<int64_t>(ids), rows, b.vocabulary, sorted.data_ptr(), stream_for(dx));
    b.sorted = sorted.const_data_ptr();
    b.dx = read<Bf16>(dx);
    b.dtoken = write<float>(dtoken);
    b.dposition = write<float>(dposition);
    b.workspace = workspace.data_ptr();
    kernels::embedding_backward(b, stream_for(dx));
    return {{}, {}};
  });
  return x;
}

}  // namespace absorb
