#include "tensors/linear/fused_weights.h"

#include <torch/csrc/autograd/engine.h>
#include <torch/types.h>

#include "core/device.h"

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

}  // namespace absorb
