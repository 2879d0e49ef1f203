#include "compensation/subject/subspace.h"

#include <torch/types.h>

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
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    std::string name;  // by its components, so that a part's subspace doesn't depend on what adapts beside it
    for (const Component& component : adaptation.parts[i]) name += to_string(component) + " ";
    sketches_.emplace_back(stream_key(adaptation.subspace, "subspace/" + name), numbers[i], adaptation.dimension,
                           device);
  }
}

int64_t Subspace::dimension() const {
  int64_t sum = 0;
  for (const CountSketch& sketch : sketches_) sum += sketch.dimension();
  return sum;
}

Tensor Subspace::compress(const Tensor& x) const {
  std::vector<Tensor> parts = x.split_with_sizes(numbers_, -1);
  for (std::size_t i = 0; i < parts.size(); ++i) parts[i] = sketches_[i].compress(parts[i]);
  return at::cat(parts, -1);
}

Tensor Subspace::expand(const Tensor& z) const {
  std::vector<int64_t> sizes;
  for (const CountSketch& sketch : sketches_) sizes.push_back(sketch.dimension());
  std::vector<Tensor> parts = z.split_with_sizes(sizes, -1);
  for (std::size_t i = 0; i < parts.size(); ++i) parts[i] = sketches_[i].expand(parts[i]);
  return at::cat(parts, -1);
}

}  // namespace absorb
