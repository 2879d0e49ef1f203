// Every learnable number of a run in one table, by full name. Initial values, freezing, the parameter denominators,
// gradient accounts, compensation components and the optimiser's flat storage all read this table. Surprising: several
// named slices may share one stored tensor (Q, K and V in one product), and each slice is initialised by its own name,
// so that packing never changes a number.
#pragma once

#include <ATen/core/Tensor.h>

#include <compare>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace absorb {

using at::Tensor;

enum class Part {
  attention_router,
  expert_router,
  q,
  k,
  v,
  o,
  feed_forward,
  expert,
  norm,
  embedding,
  head,
  attention_weigher,  // of a route whose weights are another router's than its choice
  expert_weigher
};

/// What compensation measures: a part of a layer. layer = -1 for parts outside the blocks; index tells experts apart.
struct Component {
  int64_t layer = -1;
  Part part = Part::embedding;
  int64_t index = 0;
  auto operator<=>(const Component&) const = default;
};

/// A router's, of either kind.
bool is_router(Part part);
std::string_view to_string(Part part);
/// "3.q", "2.expert.5", "embedding".
std::string to_string(const Component& component);
/// The inverse of to_string; UserError on anything else.
Component component_from_string(std::string_view text);

struct Init {
  enum class Kind { zeros, ones, normal };
  Kind kind = Kind::normal;
  double std = 0.02;
  static Init zeros() { return {Kind::zeros, 0}; }
  static Init ones() { return {Kind::ones, 0}; }
  static Init normal(double std) { return {Kind::normal, std}; }
};

/// How numbers change between the steps of training without a gradient (training/optimiser/following.h).
struct Follows {
  std::string original;      // full name of the slice that this one is a copy of; its own: of none
  int64_t redraw_every = 0;  // steps after which it is drawn anew; 0: never
  int64_t lag = 0;           // it is the original as it was so many steps ago; 0: no such copy
};

/// Consecutive rows of a stored tensor under a name of their own.
struct Slice {
  std::string name;  // full name once stored
  Component component;
  int64_t rows = 0;
  Init init;
  bool trained = true;
  int64_t draw = 0;  // which random draw its initial value is
  std::optional<Follows> follows = {};
};
/// Whether it stands beside the numbers that it copies: no parameter of the model's.
inline bool is_copy(const Slice& slice) {
  return slice.follows && slice.follows->original != slice.name;
}

/// One stored tensor: a leaf of autograd and its place in the flat storage.
struct Stored {
  std::string name;
  Tensor leaf;
  std::vector<Slice> slices;  // they cover all rows in order
  std::string multiplies;     // the name of what this matrix multiplies, where whoever added it said so
  int64_t offset = 0;         // in the flat storage; in numbers
  bool trained = true;        // any of its slices
};

/// Whether both multiply the same input, so that one product can serve them.
bool shares_input(const Stored& first, const Stored& other);

/// The four denominators of science.md section 2, and the router's own size.
struct ParameterCounts {
  int64_t unique = 0;         // every stored number once
  int64_t untied = 0;         // the tied embedding counted twice
  int64_t non_embedding = 0;  // without token and position embeddings
  int64_t module = 0;         // Q, K, V of routed attention and experts of routed MoE: what the routers steer
  int64_t router = 0;
  int64_t trained = 0;
};

/// A scope ("blocks.3.attention.") of one shared store; copies share the store.
class Parameters {
 public:
  explicit Parameters(uint64_t seed, at::ScalarType dtype = at::kFloat);

  /// The same store, names prefixed with `name` and a dot.
  Parameters scope(std::string_view name) const;
  /// The same scope; what is added through it is never trained (its initial value is the run's frozen draw).
  Parameters frozen() const;
  /// The same scope; initial values of what is added through it are draw number `draw` of their names (0: the first).
  Parameters redrawn(int64_t draw) const;
  /// The same scope; what is added through it follows what was, or would be, added through `original` under the same
  /// name, from whose initial value it begins. It is never trained.
  Parameters following(const Parameters& original, int64_t redraw_every, int64_t lag) const;

  /// A leaf of its own, initialised by (seed, full name). `multiplies` names what the matrix [M,K] multiplies, x
  /// [...,K] in x W^T: gather() lays matrices of one name side by side.
  Tensor add(std::string_view name, at::IntArrayRef shape, Init init, const Component& component,
             std::string_view multiplies = {}) const;
  /// One leaf [sum of rows, columns...] made of named slices.
  Tensor pack(std::string_view name, at::IntArrayRef columns, std::vector<Slice> slices,
              std::string_view multiplies = {}) const;
  /// A tensor that is saved with the run and never trained (counters, running statistics).
  Tensor state(std::string_view name, Tensor initial) const;

  /// From here on shapes are recorded without memory or values, for counting a model before it is built.
  void count_only() const;
  /// Slices that `chosen` refuses won't be trained. Call before gather().
  void train_only(const std::function<bool(const Slice&)>& chosen) const;
  /// Lays all leaves into one flat buffer on `device` (with a second one for gradients), in the order of stored(): the
  /// order in which they were added, but that what multiplies the same input as an earlier one comes behind it. Call
  /// once, after building.
  void gather(at::Device device) const;
  /// [all numbers], the values; leaves are views of it. Defined after gather().
  const Tensor& flat() const;
  /// [all numbers], the gradients; the leaves' .grad are views of it.
  const Tensor& flat_gradient() const;
  /// Calls `visit` with every slice and its run [begin, end) of numbers in the flat buffers.
  void each_slice(const std::function<void(const Slice&, int64_t begin, int64_t end)>& visit) const;

  /// Draw `number` of a slice that is drawn anew, [shape] on `device`; 0 is its initial value.
  Tensor draw(const Slice& slice, at::IntArrayRef shape, int64_t number, at::Device device) const;

  const std::vector<Stored>& stored() const;
  const std::vector<std::pair<std::string, Tensor>>& states() const;
  ParameterCounts counts() const;
  uint64_t seed() const;
  at::ScalarType dtype() const;
  const std::string& prefix() const { return prefix_; }

 private:
  struct Store;
  std::shared_ptr<Store> store_;
  std::string prefix_;
  bool frozen_ = false;
  int64_t draw_ = 0;
  std::optional<Follows> follows_ = {};  // `original` is a prefix here
};

/// The rows of one slice as a view of its leaf (detached), for drift, accounts and copies.
Tensor slice_view(const Stored& stored, std::size_t slice);

}  // namespace absorb
