// The numbers of a set of components as one vector, wherever they lie: slices of one flat storage, or of two where a
// random router stands beside the run's own.
#pragma once

#include <vector>

#include "tensors/parameters.h"

namespace absorb {

/// As Subject calls it: token and position tables are one component.
Component subject_component(const Slice& slice);

class Coordinates {
 public:
  /// `stores` must be gathered and outlive this. Numbers come by component, in the order of `components`, then by
  /// store.
  Coordinates(const std::vector<Parameters>& stores, const std::vector<Component>& components);

  int64_t numbers() const { return numbers_; }
  /// [numbers], copies.
  Tensor values() const;
  Tensor gradients() const;
  /// [numbers], out of one tensor for each store that is laid out as its flat storage.
  Tensor of(const std::vector<Tensor>& flats) const;
  /// Writes [numbers] into such tensors.
  void put(const Tensor& numbers, const std::vector<Tensor>& flats) const;
  /// Writes [numbers] into the stores' values.
  void set(const Tensor& numbers) const;
  /// Leaves that hold any of the numbers.
  std::vector<Tensor> leaves() const;

 private:
  struct Range {
    std::size_t store = 0;
    int64_t begin = 0, end = 0;
  };
  std::vector<Tensor> flats() const;
  std::vector<Parameters> stores_;
  std::vector<Component> components_;
  std::vector<Range> ranges_;
  int64_t numbers_ = 0;
};

/// While it lives, gradients are computed for the leaves of `trained` alone.
class TrainOnly {
 public:
  TrainOnly(const std::vector<Parameters>& stores, const Coordinates& trained);
  ~TrainOnly();
  TrainOnly(const TrainOnly&) = delete;
  TrainOnly& operator=(const TrainOnly&) = delete;

 private:
  std::vector<Tensor> all_;
  std::vector<bool> before_;
};

}  // namespace absorb
