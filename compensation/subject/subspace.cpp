#include "compensation/subject/subspace.h"

#include <fmt/format.h>
#include <torch/types.h>

#include <numeric>

#include "core/error.h"
#include "core/random.h"

namespace absorb {

std::vector<Component> trained(const Adaptation& adaptation) {
  std::vector<Component> all;
  for (const std::vector<Component>& part : adaptation.parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

Subspace::Subspace(const Adaptation& adaptation, const std::vector<int64_t>& numbers, at::Device device)
    : numbers_(numbers) {
  check(numbers.size() == adaptation.parts.size(), "[Subspace] {} sizes for {} parts", numbers.size(),
        adaptation.parts.size());
  all_numbers_ = std::accumulate(numbers.begin(), numbers.end(), int64_t{0});
  if (adaptation.dealt) {
    deal(adaptation, device);
    return;
  }
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    std::string name;  // by its components, so that a part's subspace doesn't depend on what adapts beside it
    for (const Component& component : adaptation.parts[i]) name += to_string(component) + " ";
    sketches_.emplace_back(stream_key(adaptation.subspace, "subspace/" + name), numbers[i], adaptation.dimension,
                           device);
  }
}

void Subspace::deal(const Adaptation& adaptation, at::Device device) {
  const uint64_t key = stream_key(adaptation.dealt->draw, "subspace/partition");
  // Ties of float32 draws: the stable order breaks them the same way on every device.
  const Tensor order = at::argsort(uniform({key, {}}, {all_numbers_}, device), /*stable=*/true);
  const std::vector<Tensor> parts = order.split_with_sizes(numbers_);
  std::vector<Tensor> chosen;
  std::vector<int64_t> sizes;
  for (const std::size_t place : adaptation.dealt->chosen) {
    check(place < parts.size(), "[Subspace] no part {} of {}", place, parts.size());
    chosen.push_back(parts[place]);
    sizes.push_back(numbers_[place]);
    sketches_.emplace_back(stream_key(adaptation.subspace, fmt::format("subspace/dealt {}", place)), sizes.back(),
                           adaptation.dimension, device);
  }
  chosen_ = at::cat(chosen);
  numbers_ = sizes;
}

int64_t Subspace::dimension() const {
  int64_t sum = 0;
  for (const CountSketch& sketch : sketches_) sum += sketch.dimension();
  return sum;
}

Tensor Subspace::compress(const Tensor& x) const {
  std::vector<Tensor> parts = (chosen_.defined() ? x.index_select(-1, chosen_) : x).split_with_sizes(numbers_, -1);
  for (std::size_t i = 0; i < parts.size(); ++i) parts[i] = sketches_[i].compress(parts[i]);
  return at::cat(parts, -1);
}

Tensor Subspace::expand(const Tensor& z) const {
  std::vector<int64_t> sizes;
  for (const CountSketch& sketch : sketches_) sizes.push_back(sketch.dimension());
  std::vector<Tensor> parts = z.split_with_sizes(sizes, -1);
  for (std::size_t i = 0; i < parts.size(); ++i) parts[i] = sketches_[i].expand(parts[i]);
  const Tensor learning = at::cat(parts, -1);
  if (!chosen_.defined()) return learning;
  return at::zeros({all_numbers_}, learning.options()).index_copy_(0, chosen_, learning);
}

}  // namespace absorb
