// Bias, activation, dropout and experts' weights in one pass, against the composition in double.
#include "moe/cuda/activation.cuh"

#include <fmt/format.h>

#include "moe/activation.h"
#include "tests/transformer/row_kernels.h"

namespace absorb {
namespace {

using namespace testing;
using kernels::Activation;

const std::vector<std::pair<Activation, std::string>> kinds = {
    {Activation::gelu, "gelu"}, {Activation::gelu_tanh, "gelu_tanh"}, {Activation::none, "none"}};

class ActivationGpu : public RowKernelsGpu {
 protected:
  // Runs both launchers and compares with the graph that leads from `u` and `bias` (and weights) to `want`.
  struct Graph {
    Tensor u, bias, weights, want;
  };
  void compare(const kernels::ActivationCall& call, const Graph& graph, const std::string& where) {
    const Tensor out = at::empty({call.rows, call.width}, gpu(at::kBFloat16)), dout = bf16("dout", out.sizes());
    kernels::activation_forward(call, bits(out), stream());
    EXPECT_LT(relative(out, graph.want.detach()), rounded) << where;
    graph.want.backward(twin(dout));
    const Tensor dbias = at::zeros(graph.bias.sizes(), gpu(at::kFloat));
    const Tensor dweights = at::empty({call.rows, call.experts}, gpu(at::kFloat));
    const Tensor workspace = space(kernels::activation_backward_bytes(call));
    kernels::activation_backward(call,
                                 {.dout = bits(dout),
                                  .du = bits(dout),
                                  .dbias = floats(dbias),
                                  .dweights = call.weights ? floats(dweights) : nullptr,
                                  .workspace = workspace.mutable_data_ptr()},
                                 stream());
    EXPECT_LT(relative(dout, graph.u.grad()), rounded) << where;
    EXPECT_LT(relative(dbias, graph.bias.grad()), 2 * fp32) << where;
    if (call.weights) EXPECT_LT(relative(dweights, graph.weights.grad()), 2 * fp32) << where;
  }
};

TEST_F(ActivationGpu, AgreesWithTheComposition) {
  for (const auto& [kind, name] : kinds)
    for (const double rate : {0.0, 0.1})
      for (const auto& [rows, width] : std::vector<std::pair<int64_t, int64_t>>{{1, 8}, {700, 1536}, {21, 4104}}) {
        const Tensor u = bf16("u", {rows, width}), bias = random("bias", {width});
        Graph graph{twin(u).requires_grad_(), twin(bias).requires_grad_(), {}, {}};
        graph.want = activate(graph.u + graph.bias, name) * mask(rate, {rows, width});
        compare(
            {.rows = rows, .width = width, .kind = kind, .u = bits(u), .bias = floats(bias), .dropout = dropout(rate)},
            graph, fmt::format("{} {} x {}, dropout {}", name, rows, width, rate));
      }
}

TEST_F(ActivationGpu, WeighsConcatenatedExperts) {
  struct Shape {
    int64_t rows, width, experts;
  };
  for (const double rate : {0.0, 0.1})
    for (const auto& [rows, width, experts] :
         std::vector<Shape>{{300, 1024, 8}, {77, 1536, 8}, {40, 48, 4}, {20, 8192, 8}, {33, 64, 64}}) {
      const Tensor u = bf16("u", {rows, width}), bias = random("bias", {width}), w = random("w", {rows, experts});
      Graph graph{twin(u).requires_grad_(), twin(bias).requires_grad_(), twin(w).requires_grad_(), {}};
      const Tensor h = activate(graph.u + graph.bias, "gelu") * mask(rate, {rows, width});
      graph.want = (h.view({rows, experts, -1}) * graph.weights.unsqueeze(-1)).view({rows, width});
      compare({.rows = rows,
               .width = width,
               .u = bits(u),
               .bias = floats(bias),
               .weights = floats(w),
               .experts = experts,
               .dropout = dropout(rate)},
              graph, fmt::format("{} x {} of {} experts, dropout {}", rows, width, experts, rate));
    }
}

TEST_F(ActivationGpu, TakesRowsSortedByExpert) {
  const int64_t rows = 600, width = 192;
  for (const std::vector<int32_t>& ends : {std::vector<int32_t>{100, 100, 333, 600}, {0, 600, 600, 600}, {600}}) {
    const auto experts = static_cast<int64_t>(ends.size());
    const Tensor u = bf16("u", {rows, width}), bias = random("bias", {experts, width});
    const Tensor on_gpu = at::tensor(ends, at::kInt).to(gpu(at::kInt));
    Graph graph{twin(u).requires_grad_(), twin(bias).requires_grad_(), {}, {}};
    std::vector<Tensor> parts;
    for (std::size_t e = 0, begin = 0; e < ends.size(); begin = static_cast<std::size_t>(ends[e]), ++e)
      parts.push_back(graph.bias[static_cast<int64_t>(e)].expand({ends[e] - static_cast<int64_t>(begin), width}));
    graph.want = activate(graph.u + at::cat(parts), "gelu") * mask(0.1, {rows, width});
    compare({.rows = rows,
             .width = width,
             .u = bits(u),
             .bias = floats(bias),
             .experts = experts,
             .ends = on_gpu.const_data_ptr<int32_t>(),
             .dropout = dropout(0.1)},
            graph, fmt::format("{} experts", experts));
  }
}

}  // namespace
}  // namespace absorb
