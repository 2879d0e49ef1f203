#include "tensors/fused.h"

#include <torch/csrc/autograd/engine.h>
#include <torch/types.h>

#include <ATen/autocast_mode.h>

#include <cstdio>
#include <functional>
#include <mutex>
#include <set>

#include "core/device.h"
#include "core/error.h"
#include "tensors/product.h"

namespace absorb {

FusedWeights::FusedWeights(const Parameters& parameters)
    : parameters_(parameters), copy_(parameters.flat().to(at::kBFloat16)) {}

void FusedWeights::refresh() const {
  at::NoGradGuard no_grad;
  copy_.copy_(parameters_.flat());
}

Tensor FusedWeights::view(const Tensor& of, const Tensor& x, int64_t rows) const {
  const Tensor& flat = parameters_.flat();
  if (!x.defined() || x.scalar_type() != flat.scalar_type() || !x.is_contiguous() || x.dim() == 0) return {};
  const auto* begin = static_cast<const float*>(flat.const_data_ptr());
  const int64_t offset = static_cast<const float*>(x.const_data_ptr()) - begin;
  std::vector<int64_t> shape = x.sizes().vec();
  if (rows > shape[0]) shape[0] = rows;
  const int64_t numbers = c10::multiply_integers(shape);
  if (offset < 0 || offset + numbers > flat.numel()) return {};
  return of.narrow(0, offset, numbers).view(shape);
}

Tensor FusedWeights::bf16(const Tensor& x, int64_t rows) const {
  return view(copy_, x, rows);
}

Tensor FusedWeights::gradient(const Tensor& x, int64_t rows) const {
  return view(parameters_.flat_gradient(), x, rows);
}

Tensor FusedWeights::gradient_of(const Tensor& parameter) const {
  return parameter.defined() && parameter.requires_grad() ? gradient(parameter) : Tensor();
}

Tensors FusedWeights::followers(const Tensor& weight) const {
  const std::vector<Stored>& stored = parameters_.stored();
  Tensors out;
  for (std::size_t i = 0; i < stored.size(); ++i) {
    if (!stored[i].leaf.is_same(weight)) continue;
    for (std::size_t j = i + 1; j < stored.size() && shares_input(stored[i], stored[j]); ++j)
      out.push_back(stored[j].leaf);
  }
  return out;
}

void FusedWeights::add_later(const kernels::ColumnSums& sums, Tensor partials) const {
  if (later_->sums.empty()) {
    torch::autograd::Engine::get_default_engine().queue_callback([later = later_] {
      kernels::add_column_sums(later->sums.data(), static_cast<int64_t>(later->sums.size()),
                               current_cuda_stream(later->partials[0].device()));
      *later = {};
    });
  }
  later_->sums.push_back(sums);
  later_->partials.push_back(std::move(partials));
}

void add_product(const Tensor& sum, const Tensor& a, const Tensor& b) {
  multiply_into(sum, a.t(), b, /*adds=*/true);
}

Tensor leave_product(const std::shared_ptr<Tensor>& sink, at::IntArrayRef shape, const Tensor& a, const Tensor& b) {
  if (sink == nullptr) return bf16_product(a, b).view(shape);
  if (!sink->defined())
    *sink = bf16_product(a, b).view(shape);
  else
    multiply_into(sink->view({a.size(0), b.size(1)}), a, b, /*adds=*/true);
  return {};
}

namespace {

// x v for x [...,K] and v [K,M], the weight itself or its transpose; `add` adds the weight's gradient from dy and x.
Tensor multiplied(const Tensor& x, const Tensor& weight, const Tensor& v,
                  std::function<void(const Tensor& dy, const Tensor& x)> add) {
  Tensor y, flat;
  {
    at::NoGradGuard no_grad;
    const AutocastGuard plain(false, x.device());
    flat = x.detach().to(at::kBFloat16).reshape({-1, v.size(0)});
    std::vector<int64_t> shape = x.sizes().vec();
    shape.back() = v.size(1);
    y = bf16_product(flat, v).view(shape);
  }
  record({y}, {x, weight},
         [=, add = std::move(add), sink = sink_of(x), shape = x.sizes().vec(), wanted = x.requires_grad(),
          type = x.scalar_type()](const Tensors& gradients) -> Tensors {
           if (!gradients[0].defined()) return {{}, {}};
           const Tensor dy = gradients[0].to(at::kBFloat16).reshape({-1, v.size(1)});
           if (add) add(dy, flat);
           if (!wanted) return {{}, {}};
           const Tensor dx = leave_product(sink, shape, dy, v.t());
           return {dx.defined() ? dx.to(type) : dx, {}};
         });
  return y;
}

}  // namespace

namespace {

// Weights that lie one behind the other, and where their products and gradients are.
struct Wide {
  Tensor w, x;                       // [M,K] and [N,K] bf16
  std::vector<int64_t> rows;         // of each weight; M together
  std::vector<Tensor> sums;          // where each one's gradient is added; undefined: not trained
  std::shared_ptr<Tensor> gradient;  // [N,M] bf16, whoever comes first makes it
};

// Piece `i` of [..., M].
Tensor piece(const Wide& wide, const Tensor& of, std::size_t i) {
  int64_t begin = 0;
  for (std::size_t j = 0; j < i; ++j) begin += wide.rows[j];
  return of.narrow(-1, begin, wide.rows[i]);
}

// One product for each run of trained weights.
void add_gradients(const Wide& wide, const Tensor& dy) {
  int64_t begin = 0;
  for (std::size_t i = 0; i < wide.rows.size();) {
    int64_t rows = wide.rows[i];
    std::size_t next = i + 1;
    if (wide.sums[i].defined())
      for (; next < wide.rows.size() && wide.sums[next].defined(); ++next) rows += wide.rows[next];
    if (wide.sums[i].defined()) {
      const Tensor &first = wide.sums[i], sum = first.as_strided({rows, first.size(1)}, {first.size(1), 1});
      add_product(sum, dy.narrow(1, begin, rows), wide.x);
    }
    begin += rows;
    i = next;
  }
}

}  // namespace

Tensor GradientHome::get() const {
  if (!buffer) return {};
  if (!buffer->defined()) *buffer = at::empty(whole, options);
  return buffer->as_strided(sizes, strides, offset);
}

GradientHome gradient_home(const Tensor& y, const Pass& pass) {
  const auto found = pass.gradient_buffers.find(y.storage().unsafeGetStorageImpl());
  if (found == pass.gradient_buffers.end()) return {};
  const auto numbers = static_cast<int64_t>(y.storage().nbytes() / y.element_size());
  return {found->second, {numbers}, y.sizes().vec(), y.strides().vec(), y.storage_offset(), y.options()};
}

namespace {

// Their gradients side by side: [N,M].
Tensor wide_gradient(const Wide& wide, const Tensors& gradients, const Tensor& like) {
  if (!wide.gradient->defined()) *wide.gradient = at::empty({like.numel()}, like.options());
  const Tensor whole = wide.gradient->view(like.sizes());
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    Tensor home = piece(wide, whole, i);
    if (!gradients[i].defined())
      home.zero_();
    else if (gradients[i].const_data_ptr() != home.const_data_ptr())
      home.copy_(gradients[i]);
  }
  return whole.view({-1, wide.w.size(0)});
}

Wide wide_of(const Tensor& x, const Tensors& weights, const FusedWeights& fused) {
  Wide wide;
  int64_t rows = 0;
  for (const Tensor& w : weights) {
    wide.rows.push_back(w.size(0));
    wide.sums.push_back(fused.gradient_of(w));
    rows += w.size(0);
  }
  wide.w = fused.bf16(weights[0], rows);
  wide.x = x.detach().to(at::kBFloat16).reshape({-1, wide.w.size(1)});
  wide.gradient = std::make_shared<Tensor>();
  return wide;
}

}  // namespace

Tensor linear_with_followers(const Tensor& x, const Tensor& weight, Pass& pass) {
  Tensors weights = {weight};
  if (pass.fused) {
    const Tensors more = pass.fused->followers(weight);
    weights.insert(weights.end(), more.begin(), more.end());
  }
  int64_t rows = 0;
  for (const Tensor& w : weights) rows += w.size(0);
  // Kernels read rows of whole vectors.
  if (weights.size() == 1 || rows % 8 != 0) return linear(x, weight, pass);
  const Wide wide = wide_of(x, weights, *pass.fused);
  Tensor y;
  {
    at::NoGradGuard no_grad;
    const AutocastGuard plain(false, x.device());
    std::vector<int64_t> shape = x.sizes().vec();
    shape.back() = wide.w.size(0);
    y = bf16_product(wide.x, wide.w.t()).view(shape);
  }
  Tensors outputs, inputs = {x};
  inputs.insert(inputs.end(), weights.begin(), weights.end());
  for (std::size_t i = 0; i < weights.size(); ++i) outputs.push_back(piece(wide, y, i).detach());
  record(outputs, inputs,
         [wide, like = y, inputs = inputs.size(), sink = sink_of(x), sizes = x.sizes().vec(),
          wanted = x.requires_grad(), type = x.scalar_type()](const Tensors& gradients) -> Tensors {
           Tensors out(inputs);
           const Tensor dy = wide_gradient(wide, gradients, like);
           add_gradients(wide, dy);
           if (wanted) {
             const Tensor dx = leave_product(sink, sizes, dy, wide.w);
             out[0] = dx.defined() ? dx.to(type) : dx;
           }
           *wide.gradient = Tensor();
           return out;
         });
  // Without a backward pass nobody keeps y, and its address may be another tensor's by then.
  if (outputs[0].requires_grad()) pass.gradient_buffers[y.storage().unsafeGetStorageImpl()] = wide.gradient;
  for (std::size_t i = 0; i < weights.size(); ++i) pass.products[weights[i].const_data_ptr()] = {x, outputs[i]};
  return outputs[0];
}

Tensor linear(const Tensor& x, const Tensor& weight, const Pass& pass) {
  if (const auto made = pass.products.find(weight.const_data_ptr());
      made != pass.products.end() && made->second.x.is_same(x))
    return made->second.y;
  const Tensor w = pass.fused ? pass.fused->bf16(weight) : Tensor();
  if (!w.defined()) return at::linear(x, weight);
  const Tensor sum = pass.fused->gradient_of(weight);
  if (!sum.defined()) return multiplied(x, weight, w.t(), {});
  return multiplied(x, weight, w.t(), [sum](const Tensor& dy, const Tensor& rows) { add_product(sum, dy, rows); });
}

Tensor product(const Tensor& x, const Tensor& weight, const Pass& pass) {
  const Tensor w = pass.fused ? pass.fused->bf16(weight) : Tensor();
  if (!w.defined()) return at::matmul(x, weight);
  const Tensor sum = pass.fused->gradient_of(weight);
  if (!sum.defined()) return multiplied(x, weight, w, {});
  return multiplied(x, weight, w, [sum](const Tensor& dy, const Tensor& rows) { add_product(sum, rows, dy); });
}

void say_composed(const std::string& what) {
  static std::mutex mutex;
  static std::set<std::string> said;
  const std::lock_guard lock(mutex);
  if (said.insert(what).second) fmt::print(stderr, "no kernel for {}: LibTorch's composition runs it\n", what);
}

AutocastGuard::AutocastGuard(bool on, at::Device device)
    : before_(at::autocast::is_autocast_enabled(device.type())),
      type_(device.type()),
      type_before_(at::autocast::get_autocast_dtype(device.type())) {
  at::autocast::set_autocast_enabled(type_, on);
  if (on) at::autocast::set_autocast_dtype(type_, at::kBFloat16);
  // Cached casts of parameters would outlive the step that changes them, and runs of one process share one cache: what
  // one of them clears would change where another's gradients are added up in bf16.
  at::autocast::set_autocast_cache_enabled(false);
}

AutocastGuard::~AutocastGuard() {
  at::autocast::set_autocast_enabled(type_, before_);
  at::autocast::set_autocast_dtype(type_, type_before_);
}

}  // namespace absorb
