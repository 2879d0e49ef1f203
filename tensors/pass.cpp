#include "tensors/pass.h"

#include <torch/types.h>

#include <fmt/format.h>

namespace absorb {

RandomKey Pass::random(std::string_view purpose, const Site& site) const {
  return {stream_key(in.seed, fmt::format("{}/{}", purpose, site)), in.step};
}

Tensor Pass::dropout(const Tensor& x, double rate, const Site& site) const {
  if (!in.training || rate == 0) return x;
  return x * dropout_mask(random("dropout", site), rate, x.sizes(), x.device()).to(x.scalar_type());
}

}  // namespace absorb
