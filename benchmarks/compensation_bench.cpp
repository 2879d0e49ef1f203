// Coupling's arithmetic on gradients that are there already. `gram` is the work that the cost target names: it has to
// grow by at most 2.3 when components or samples double. `statistic` is what is done with the Gram matrices for every
// pair of components, so that it grows with the square of the components; items are pairs x permutations there.
#include <ATen/ATen.h>
#include <benchmark/benchmark.h>

#include <vector>

#include "compensation/measures/coupling.h"

namespace absorb::bench {
namespace {

constexpr int64_t examples_in_block = 32, sketch = 4096, permutations = 200;

/// [blocks] of [components, 32, 32].
std::vector<Tensor> grams_of(const std::vector<Tensor>& gradients, int64_t blocks) {
  std::vector<Tensor> result;
  for (int64_t block = 0; block < blocks; ++block) {
    std::vector<Tensor> grams;
    for (const Tensor& of_component : gradients) grams.push_back(gram_of(of_component));
    result.push_back(at::stack(grams));
  }
  return result;
}

std::vector<Tensor> random_gradients(int64_t components) {
  std::vector<Tensor> gradients;
  for (int64_t c = 0; c < components; ++c) gradients.push_back(at::randn({examples_in_block, sketch}));
  return gradients;
}

void coupling_gram(benchmark::State& state) {
  const int64_t components = state.range(0), blocks = state.range(1) / examples_in_block;
  const std::vector<Tensor> gradients = random_gradients(components);
  for (auto unused : state) benchmark::DoNotOptimize(grams_of(gradients, blocks));
  const int64_t numbers = state.iterations() * components * blocks * examples_in_block * sketch;
  state.SetItemsProcessed(numbers);
  state.SetBytesProcessed(numbers * static_cast<int64_t>(sizeof(float)));
}
BENCHMARK(coupling_gram)
    ->Name("coupling/gram")
    ->ArgNames({"components", "samples"})
    ->Args({16, 256})
    ->Args({32, 256})
    ->Args({64, 256})
    ->Args({16, 512})
    ->Args({16, 1024})
    ->Unit(benchmark::kMillisecond);

void coupling_statistic(benchmark::State& state) {
  const int64_t components = state.range(0), blocks = state.range(1) / examples_in_block;
  const std::vector<Tensor> grams = grams_of(random_gradients(components), blocks);
  for (auto unused : state) benchmark::DoNotOptimize(coupling_of(grams, {permutations, 0}));
  const int64_t pairs = state.iterations() * components * components * blocks * permutations;
  state.SetItemsProcessed(pairs);
  state.SetBytesProcessed(pairs * examples_in_block * examples_in_block * static_cast<int64_t>(sizeof(double)));
}
BENCHMARK(coupling_statistic)
    ->Name("coupling/statistic")
    ->ArgNames({"components", "samples"})
    ->Args({16, 256})
    ->Args({32, 256})
    ->Args({64, 256})
    ->Args({16, 512})
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace absorb::bench
