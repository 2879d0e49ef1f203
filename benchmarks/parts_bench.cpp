// The operations that a step is made of, at the paper's shape (docs/science.md section 2), each beside the form that it
// replaces or is measured against. Time stands next to the items and bytes that the operation has to touch.
#include <benchmark/benchmark.h>
#include <torch/types.h>

#include "attention/attend.h"
#include "moe/dispatch.h"
#include "moe/moe.h"
#include "training/optimiser/adamw.h"

namespace absorb::bench {
namespace {

constexpr int64_t batch = 2, heads = 4, items = 512, width = 256, head_width = width / heads, rank = 32;
constexpr int64_t entries = batch * heads * items * items;  // of [B,H,T,T]

void touched(benchmark::State& state, int64_t numbers, int64_t floats_moved) {
  state.SetItemsProcessed(state.iterations() * numbers);
  state.SetBytesProcessed(state.iterations() * floats_moved * static_cast<int64_t>(sizeof(float)));
}

template <class Select>
void top_k_keys(benchmark::State& state, Select select) {
  const Tensor scores = at::randn({batch, heads, items, items});
  for (auto unused : state) benchmark::DoNotOptimize(select(scores, 64, Visible::causal, true));
  touched(state, entries, entries);
}
void top_k_rows(benchmark::State& state) {
  top_k_keys(state, [](const Tensor& scores, auto... rest) { return top_k(scores, rest...); });
}
void top_k_by_composition(benchmark::State& state) {
  top_k_keys(state, top_k_composition);
}
BENCHMARK(top_k_rows)->Name("top_k/keys_64_of_512/rows")->Unit(benchmark::kMillisecond);
BENCHMARK(top_k_by_composition)->Name("top_k/keys_64_of_512/composition")->Unit(benchmark::kMillisecond);

void dropout_philox(benchmark::State& state) {
  for (auto unused : state)
    benchmark::DoNotOptimize(dropout_mask({1, {}}, 0.1, {batch, heads, items, items}, at::kCPU));
  touched(state, entries, entries);
}
void dropout_bernoulli(benchmark::State& state) {
  for (auto unused : state) benchmark::DoNotOptimize(at::empty({batch, heads, items, items}).bernoulli_(0.9).div_(0.9));
  touched(state, entries, entries);
}
void noise_philox(benchmark::State& state) {
  for (auto unused : state) benchmark::DoNotOptimize(gauss({1, {}}, {batch, heads, items, items}, at::kCPU));
  touched(state, entries, entries);
}
BENCHMARK(dropout_philox)->Name("dropout_mask/philox")->Unit(benchmark::kMillisecond);
BENCHMARK(dropout_bernoulli)->Name("dropout_mask/bernoulli_")->Unit(benchmark::kMillisecond);
BENCHMARK(noise_philox)->Name("gauss/philox")->Unit(benchmark::kMillisecond);

Tensor leaf(at::IntArrayRef shape) {
  return at::randn(shape).requires_grad_();
}

/// Forward and backward of attend() under a soft bilinear routing, or of dense attention without one.
void attention(benchmark::State& state, const std::string& apply, double dropout) {
  AttendInput in;
  in.q = leaf({batch, heads, items, head_width});
  in.k = leaf({batch, heads, items, head_width});
  in.v = leaf({batch, heads, items, head_width});
  in.dropout = dropout;
  in.site = "benchmark";
  const bool dense = apply == "dense";
  if (!dense) in.apply = apply_named(apply);
  const Tensor a = leaf({batch, heads, items, rank}), b = leaf({batch, heads, items, rank});
  const Pass pass{.in = {.training = true, .seed = 1}};
  for (auto unused : state) {
    Routing routing;
    Scores& scores = routing.scores;
    scores.batch = batch;
    scores.groups = heads;
    scores.items_count = scores.choices_count = items;
    scores.items = a * (1.0 / std::sqrt(rank));
    scores.choices = b;
    routing.weight = Weight::sigmoid;
    routing.visible = Visible::causal;
    attend(in, dense ? nullptr : &routing, pass).sum().backward();
  }
  touched(state, entries, batch * heads * items * (4 * head_width + (dense ? 0 : 2 * rank)));
}
BENCHMARK_CAPTURE(attention, dense, "dense", 0.0)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(attention, dense_dropout, "dense", 0.1)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(attention, log_bias, "log_bias", 0.0)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(attention, scale_logits, "scale_logits", 0.0)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(attention, scale_logits_dropout, "scale_logits", 0.1)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(attention, post_softmax, "post_softmax", 0.0)->Unit(benchmark::kMillisecond);

template <class Sort>
void dispatch_tokens(benchmark::State& state, Sort sort) {
  constexpr int64_t experts = 8, k = 2, tokens = batch * items;
  const Tensor kept = std::get<0>(std::get<1>(at::rand({tokens, experts}).topk(k)).sort(1));
  for (auto unused : state) benchmark::DoNotOptimize(sort(kept, experts));
  state.SetItemsProcessed(state.iterations() * tokens * k);
  state.SetBytesProcessed(state.iterations() * tokens * k * static_cast<int64_t>(3 * sizeof(int64_t)));
}
void dispatch_counting(benchmark::State& state) {
  dispatch_tokens(state, dispatch);
}
void dispatch_by_composition(benchmark::State& state) {
  dispatch_tokens(state, dispatch_composition);
}
BENCHMARK(dispatch_counting)->Name("dispatch/counting_sort")->Unit(benchmark::kMicrosecond);
BENCHMARK(dispatch_by_composition)->Name("dispatch/composition")->Unit(benchmark::kMicrosecond);

/// Forward and backward of one layer of eight experts with its router.
void experts(benchmark::State& state, int64_t hidden, const std::string& selection) {
  const Parameters parameters(1);
  MoeSettings settings;
  settings.hidden = hidden;
  settings.biases = false;
  const Moe moe("experts", settings, {0, width, 0, 0.02}, parameters);
  RoutingSettings routing;
  routing.router = registries().routers.resolve(Settings::from_text("type = \"linear\"", "benchmark"));
  routing.selection = registries().selections.resolve(Settings::from_text(selection, "benchmark"));
  Routes routes;
  routes.at["experts"] = make_route("experts", moe.task(), routing, parameters);
  parameters.gather(at::kCPU);
  const Tensor x = leaf({batch, items, width});
  for (auto unused : state) {
    Pass pass{.in = {.training = true, .seed = 1}};
    moe(x, routes, pass).sum().backward();
  }
  touched(state, batch * items, parameters.flat().numel() + 2 * batch * items * width);
}
BENCHMARK_CAPTURE(experts, top_2_of_8, 512, "type = \"top_k\"\nk = 2\nweight = \"softmax\"")
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(experts, soft_8, 128, "type = \"soft\"")->Unit(benchmark::kMillisecond);

/// The paper's dense model: 18.1 million numbers, read four times and written three.
void adamw(benchmark::State& state) {
  constexpr int64_t numbers = 18'100'000;
  const Parameters parameters(1);
  parameters.add("all", {numbers}, Init::zeros(), {});
  parameters.gather(at::kCPU);
  AdamW optimiser(parameters, {});
  parameters.flat_gradient().normal_(0, 1e-3);
  optimiser.prepare(/*step=*/1);
  for (auto unused : state) benchmark::DoNotOptimize(optimiser.step(3e-4, {}));
  touched(state, numbers, 7 * numbers);
}
BENCHMARK(adamw)->Name("adamw/18M")->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace absorb::bench
