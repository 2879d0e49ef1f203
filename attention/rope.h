// Rotary positions (arXiv:2104.09864): queries and keys are turned by angles that grow with their position, so that
// q . k knows how far apart they are. Surprising: number i of a head is turned together with number i + d/2 (half
// split, as Hugging Face's files have it), not with number i + 1.
#pragma once

#include "core/settings.h"
#include "tensors/pass.h"

namespace absorb {

struct RopeSettings {
  double theta = 10000;
  std::string scaling = "none";
  double factor = 1, low = 1, high = 4;  // of llama3
  int64_t original_context = 8192;
};
void fields(Fields& list, RopeSettings& settings);

/// The frequencies of a head of d = `head_dim` numbers, [d/2] double: theta^(-2i/d), and with llama3 the long ones
/// divided by `factor`: with wave length w = 2 pi / f and s = (original_context / w - low) / (high - low), f / factor
/// for s <= 0, f for s >= 1, and (1 - s) f / factor + s f between.
Tensor rope_frequencies(const RopeSettings& settings, int64_t head_dim, at::Device device);

/// cos and sin of position times frequency, [T,d/2] each.
struct Rotation {
  Tensor cos, sin;
};
/// In `type`, which is float or double; frequencies and angles are rounded to it, as everyone's checkpoints are
/// trained.
Rotation rotation_of(const RopeSettings& settings, int64_t items, int64_t head_dim, at::Device device,
                     at::ScalarType type);
/// That of a pass over q [B,H,T,d]: its first layer makes it, the others find it.
Rotation pass_rotation(const RopeSettings& settings, const Tensor& q, Pass& pass);
/// x [B,H,T,d] turned: (x1 cos - x2 sin, x2 cos + x1 sin) of its halves. In x's type.
Tensor rotated(const Tensor& x, const Rotation& rotation);

}  // namespace absorb
