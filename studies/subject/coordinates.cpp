#include "studies/subject/coordinates.h"

#include <torch/types.h>

namespace absorb {

Component subject_component(const Slice& slice) {
  Component component = slice.component;
  if (component.part == Part::embedding) component.index = 0;
  return component;
}

Coordinates::Coordinates(const std::vector<Parameters>& stores, const std::vector<Component>& components)
    : stores_(stores), components_(components) {
  for (const Component& component : components)
    for (std::size_t store = 0; store < stores.size(); ++store)
      stores[store].each_slice([&](const Slice& slice, int64_t begin, int64_t end) {
        if (subject_component(slice) != component) return;
        ranges_.push_back({store, begin, end});
        numbers_ += end - begin;
      });
}

std::vector<Tensor> Coordinates::flats() const {
  std::vector<Tensor> out;
  for (const Parameters& store : stores_) out.push_back(store.flat());
  return out;
}

Tensor Coordinates::of(const std::vector<Tensor>& flats) const {
  std::vector<Tensor> parts;
  for (const Range& range : ranges_)
    parts.push_back(flats[range.store].narrow(0, range.begin, range.end - range.begin));
  return at::cat(parts);
}

void Coordinates::put(const Tensor& numbers, const std::vector<Tensor>& flats) const {
  int64_t at = 0;
  for (const Range& range : ranges_) {
    const int64_t n = range.end - range.begin;
    Tensor part = flats[range.store].narrow(0, range.begin, n);
    part.copy_(numbers.narrow(0, at, n));
    at += n;
  }
}

Tensor Coordinates::values() const {
  return of(flats());
}

Tensor Coordinates::gradients() const {
  std::vector<Tensor> flats;
  for (const Parameters& store : stores_) flats.push_back(store.flat_gradient());
  return of(flats);
}

void Coordinates::set(const Tensor& numbers) const {
  put(numbers, flats());
}

std::vector<Tensor> Coordinates::leaves() const {
  std::vector<Tensor> out;
  for (const Parameters& store : stores_)
    for (const Stored& stored : store.stored())
      if (std::any_of(stored.slices.begin(), stored.slices.end(), [this](const Slice& slice) {
            return std::find(components_.begin(), components_.end(), subject_component(slice)) != components_.end();
          }))
        out.push_back(stored.leaf);
  return out;
}

TrainOnly::TrainOnly(const std::vector<Parameters>& stores, const Coordinates& trained) {
  const std::vector<Tensor> leaves = trained.leaves();
  for (const Parameters& store : stores)
    for (const Stored& stored : store.stored()) {
      all_.push_back(stored.leaf);
      before_.push_back(stored.leaf.requires_grad());
      const bool wanted =
          std::any_of(leaves.begin(), leaves.end(), [&](const Tensor& leaf) { return leaf.is_same(stored.leaf); });
      all_.back().requires_grad_(wanted);
    }
}

TrainOnly::~TrainOnly() {
  for (std::size_t i = 0; i < all_.size(); ++i) all_[i].requires_grad_(before_[i]);
}

}  // namespace absorb
