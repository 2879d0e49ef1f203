#include "attention/rope.h"

#include <torch/types.h>

#include <numbers>

namespace absorb {

void fields(Fields& list, RopeSettings& s) {
  list.field("theta", s.theta, {1, 1e12}, "Base of the wave lengths of rotary positions.");
  list.field("scaling", s.scaling, {"none", "llama3"},
             "llama3: wave lengths beyond original_context / low are stretched by factor, those below "
             "original_context / high are left, and between them is a line.");
  list.field("factor", s.factor, {1, 1e6}, "Of llama3.");
  list.field("low", s.low, {0.001, 1e6}, "Of llama3.");
  list.field("high", s.high, {0.001, 1e6}, "Of llama3; above low.");
  list.field("original_context", s.original_context, {1, 1 << 24}, "Of llama3: the context before it was stretched.");
}

Tensor rope_frequencies(const RopeSettings& s, int64_t head_dim, at::Device device) {
  const Tensor place = at::arange(head_dim / 2, at::TensorOptions().device(device).dtype(at::kDouble));
  const Tensor f = at::pow(s.theta, place * (-2.0 / static_cast<double>(head_dim)));
  if (s.scaling == "none") return f;
  const Tensor waves = f * (static_cast<double>(s.original_context) / (2 * std::numbers::pi));  // in the old context
  const Tensor smooth = ((waves - s.low) / (s.high - s.low)).clamp(0, 1);
  return (1 - smooth) * f / s.factor + smooth * f;
}

Rotation rotation_of(const RopeSettings& settings, int64_t items, int64_t head_dim, at::Device device,
                     at::ScalarType type) {
  const Tensor position = at::arange(items, at::TensorOptions().device(device).dtype(type));
  const Tensor angle = position.unsqueeze(1) * rope_frequencies(settings, head_dim, device).to(type);
  return {angle.cos(), angle.sin()};
}

Rotation pass_rotation(const RopeSettings& settings, const Tensor& q, Pass& pass) {
  Tensor &cos = pass.scratch.rope_cos, &sin = pass.scratch.rope_sin;
  if (!cos.defined()) {
    const at::ScalarType type = q.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
    const Rotation made = rotation_of(settings, q.size(2), q.size(3), q.device(), type);
    cos = made.cos;
    sin = made.sin;
  }
  return {cos, sin};
}

Tensor rotated(const Tensor& x, const Rotation& r) {
  const auto half = x.chunk(2, -1);
  const Tensor out = at::cat({half[0] * r.cos - half[1] * r.sin, half[1] * r.cos + half[0] * r.sin}, -1);
  return out.to(x.scalar_type());
}

}  // namespace absorb
