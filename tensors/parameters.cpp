#include "tensors/parameters.h"

#include <torch/types.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <numeric>
#include <set>

#include "core/error.h"
#include "core/random.h"

namespace absorb {
namespace {

constexpr std::array<std::string_view, 13> part_names = {
    "attention_router",  "expert_router", "q", "k", "v", "o", "feed_forward", "expert", "norm", "embedding", "head",
    "attention_weigher", "expert_weigher"};

Tensor initial(const std::string& stream, uint64_t seed, const Init& init, at::IntArrayRef shape, at::ScalarType dtype,
               at::Device device) {
  const auto options = at::TensorOptions().dtype(dtype).device(device);
  switch (init.kind) {
    case Init::Kind::zeros:
      return at::zeros(shape, options);
    case Init::Kind::ones:
      return at::ones(shape, options);
    case Init::Kind::normal:
      break;
  }
  return gauss({stream_key(seed, stream), {}}, shape, device).mul_(init.std).to(dtype);
}

// Named by the slice that a copy follows: both begin alike.
std::string initial_stream(const Slice& slice, int64_t draw) {
  const std::string& name = slice.follows ? slice.follows->original : slice.name;
  return draw == 0 ? "init/" + name : fmt::format("init/{}#{}", name, draw);
}

}  // namespace

bool is_router(Part part) {
  return part == Part::attention_router || part == Part::expert_router;
}

std::string_view to_string(Part part) {
  return part_names.at(static_cast<std::size_t>(part));
}

std::string to_string(const Component& component) {
  std::string text(to_string(component.part));
  if (component.layer >= 0) text = fmt::format("{}.{}", component.layer, text);
  if (component.part == Part::expert) text += fmt::format(".{}", component.index);
  return text;
}

Component component_from_string(std::string_view text) {
  for (std::size_t part = 0; part < part_names.size(); ++part) {
    Component component{-1, static_cast<Part>(part), 0};
    std::string_view rest = text;
    const auto dot = rest.find('.');
    if (int64_t layer = 0;
        dot != std::string_view::npos && std::from_chars(rest.data(), rest.data() + dot, layer).ec == std::errc{}) {
      component.layer = layer;
      rest.remove_prefix(dot + 1);
    }
    if (component.part == Part::expert && rest.starts_with("expert.")) {
      rest.remove_prefix(7);
      if (std::from_chars(rest.data(), rest.data() + rest.size(), component.index).ec == std::errc{}) return component;
    }
    if (rest == part_names[part]) return component;
  }
  user_error("\"{}\" names no component; components look like 3.q, 2.expert.5 or embedding", text);
}

struct Parameters::Store {
  uint64_t seed;
  at::ScalarType dtype;
  std::vector<Stored> stored;
  std::vector<std::pair<std::string, Tensor>> states;
  std::set<std::string> names;
  Tensor flat, flat_gradient;
  bool counts_only = false;
};

Parameters::Parameters(uint64_t seed, at::ScalarType dtype) : store_(std::make_shared<Store>()) {
  store_->seed = seed;
  store_->dtype = dtype;
}

Parameters Parameters::scope(std::string_view name) const {
  Parameters inner = *this;
  inner.prefix_ += fmt::format("{}.", name);
  return inner;
}

Parameters Parameters::frozen() const {
  Parameters inner = *this;
  inner.frozen_ = true;
  return inner;
}

Parameters Parameters::redrawn(int64_t draw) const {
  Parameters inner = *this;
  inner.draw_ = draw;
  return inner;
}

Parameters Parameters::following(const Parameters& original, int64_t redraw_every, int64_t lag) const {
  Parameters inner = frozen();
  inner.draw_ = original.draw_;
  inner.follows_ = Follows{original.prefix_, redraw_every, lag};
  return inner;
}

Tensor Parameters::draw(const Slice& slice, at::IntArrayRef shape, int64_t number, at::Device device) const {
  std::string stream = initial_stream(slice, slice.draw);
  if (number > 0) stream += fmt::format("@{}", number);
  return initial(stream, store_->seed, slice.init, shape, store_->dtype, device);
}

Tensor Parameters::add(std::string_view name, at::IntArrayRef shape, Init init, const Component& component,
                       std::string_view multiplies) const {
  check(!shape.empty(), "parameter {}{} needs a shape", prefix_, name);
  return pack(name, shape.slice(1), {Slice{std::string(name), component, shape[0], init}}, multiplies);
}

Tensor Parameters::pack(std::string_view name, at::IntArrayRef columns, std::vector<Slice> slices,
                        std::string_view multiplies) const {
  check(!store_->flat.defined(), "parameter {}{} comes after gather()", prefix_, name);
  std::vector<Tensor> parts;
  for (Slice& slice : slices) {
    if (follows_) {
      slice.follows = follows_;
      slice.follows->original += slice.name;
    }
    slice.name = prefix_ + slice.name;
    slice.trained = !frozen_;
    slice.draw = draw_;
    check(store_->names.insert(slice.name).second, "parameter {} is added twice", slice.name);
    std::vector<int64_t> shape = columns.vec();
    shape.insert(shape.begin(), slice.rows);
    parts.push_back(store_->counts_only ? at::empty(shape, at::TensorOptions().dtype(store_->dtype).device(at::kMeta))
                                        : draw(slice, shape, 0, at::kCPU));
  }
  Tensor leaf = parts.size() == 1 ? parts[0] : at::cat(parts);
  leaf.requires_grad_(!frozen_);
  store_->stored.push_back(
      {prefix_ + std::string(name), leaf, std::move(slices), std::string(multiplies), 0, !frozen_});
  return leaf;
}

Tensor Parameters::state(std::string_view name, Tensor initial_value) const {
  store_->states.emplace_back(prefix_ + std::string(name), initial_value);
  return initial_value;
}

void Parameters::count_only() const {
  store_->counts_only = true;
}

bool shares_input(const Stored& first, const Stored& other) {
  return !first.multiplies.empty() && first.multiplies == other.multiplies;
}

namespace {

// The table with those that share an input side by side.
std::vector<Stored> side_by_side(std::vector<Stored> stored) {
  std::vector<Stored> out;
  std::vector<bool> placed(stored.size(), false);
  for (std::size_t i = 0; i < stored.size(); ++i) {
    if (placed[i]) continue;
    out.push_back(stored[i]);
    for (std::size_t j = i + 1; j < stored.size(); ++j) {
      if (placed[j] || !shares_input(stored[i], stored[j])) continue;
      check(stored[i].leaf.sizes().slice(1) == stored[j].leaf.sizes().slice(1),
            "parameters {} and {} multiply {} and have rows of another length", stored[i].name, stored[j].name,
            stored[i].multiplies);
      placed[j] = true;
      out.push_back(stored[j]);
    }
  }
  return out;
}

}  // namespace

void Parameters::gather(at::Device device) const {
  at::NoGradGuard no_grad;
  store_->stored = side_by_side(std::move(store_->stored));
  const auto options = at::TensorOptions().dtype(store_->dtype).device(device);
  int64_t total = 0;
  for (Stored& stored : store_->stored) {
    stored.offset = total;
    total += stored.leaf.numel();
  }
  store_->flat = at::empty({total}, options);
  store_->flat_gradient = at::zeros({total}, options);
  for (Stored& stored : store_->stored) {
    const int64_t n = stored.leaf.numel();
    Tensor view = store_->flat.narrow(0, stored.offset, n).view(stored.leaf.sizes());
    view.copy_(stored.leaf);
    stored.leaf.set_data(view);
    if (stored.trained)
      stored.leaf.mutable_grad() = store_->flat_gradient.narrow(0, stored.offset, n).view(stored.leaf.sizes());
  }
  for (auto& [name, tensor] : store_->states) tensor.set_data(tensor.to(device));
}

const Tensor& Parameters::flat() const {
  return store_->flat;
}
const Tensor& Parameters::flat_gradient() const {
  return store_->flat_gradient;
}
const std::vector<Stored>& Parameters::stored() const {
  return store_->stored;
}
const std::vector<std::pair<std::string, Tensor>>& Parameters::states() const {
  return store_->states;
}
uint64_t Parameters::seed() const {
  return store_->seed;
}
at::ScalarType Parameters::dtype() const {
  return store_->dtype;
}

void Parameters::each_slice(const std::function<void(const Slice&, int64_t, int64_t)>& visit) const {
  for (const Stored& stored : store_->stored) {
    const int64_t row = stored.leaf.numel() / std::max<int64_t>(stored.leaf.size(0), 1);
    int64_t begin = stored.offset;
    for (const Slice& slice : stored.slices) {
      visit(slice, begin, begin + slice.rows * row);
      begin += slice.rows * row;
    }
  }
}

void Parameters::train_only(const std::function<bool(const Slice&)>& chosen) const {
  check(!store_->flat.defined(), "train_only() comes after gather()");
  for (Stored& stored : store_->stored) {
    bool any = false;
    for (Slice& slice : stored.slices) {
      slice.trained = slice.trained && chosen(slice);
      any = any || slice.trained;
    }
    stored.trained = any;
    if (stored.leaf.requires_grad() != any) stored.leaf.requires_grad_(any);
  }
}

ParameterCounts Parameters::counts() const {
  ParameterCounts counts;
  std::set<int64_t> attention_routed, experts_routed;
  for (const Stored& stored : store_->stored)
    for (const Slice& slice : stored.slices) {
      if (slice.component.part == Part::attention_router) attention_routed.insert(slice.component.layer);
      if (slice.component.part == Part::expert_router) experts_routed.insert(slice.component.layer);
    }
  bool has_head = false;
  int64_t token_embedding = 0;
  for (const Stored& stored : store_->stored) {
    const int64_t row = stored.leaf.numel() / std::max<int64_t>(stored.leaf.size(0), 1);
    for (const Slice& slice : stored.slices) {
      if (is_copy(slice)) continue;
      const int64_t n = slice.rows * row;
      const auto [layer, part, index] = slice.component;
      const bool qkv = part == Part::q || part == Part::k || part == Part::v;
      counts.unique += n;
      if (slice.trained) counts.trained += n;
      if (part != Part::embedding && part != Part::head) counts.non_embedding += n;
      if (is_router(part)) counts.router += n;
      if ((qkv && attention_routed.contains(layer)) || (part == Part::expert && experts_routed.contains(layer)))
        counts.module += n;
      has_head = has_head || part == Part::head;
      if (part == Part::embedding && slice.component.index == 0) token_embedding += n;
    }
  }
  counts.untied = counts.unique + (has_head ? 0 : token_embedding);
  return counts;
}

Tensor slice_view(const Stored& stored, std::size_t slice) {
  int64_t begin = 0;
  for (std::size_t i = 0; i < slice; ++i) begin += stored.slices[i].rows;
  return stored.leaf.detach().narrow(0, begin, stored.slices[slice].rows);
}

}  // namespace absorb
