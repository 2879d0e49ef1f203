// Causal multi-head attention with a routed gate: launchers of the fused forward and backward (FlashAttention-2 style,
// nothing of size T x T is written). The definition is attend() in attention/attend.h; the letters are its.
//
// Surprising: a straight-through gate runs the hard forward and then the soft one, which leaves soft_out and soft_lse
// for the backward. Nothing is accumulated by atomics: the same inputs give the same bits. No launcher synchronises or
// allocates, so all may be captured in a graph. They throw std::runtime_error for what has no kernel (see has_kernel).
#pragma once

#include "router/cuda/view.h"
#include "tensors/cuda/types.h"

namespace absorb::kernels {

/// rank 0: no gate. B * H <= 65536.
struct AttendShape {
  int batch = 0, items = 0, heads = 0, width = 0, rank = 0;  // B, T, H, d, r
};

/// Same order as absorb::Apply.
enum class AttendApply { scale_logits, log_bias, post_softmax };

/// Scores g = factor * (items . choices) * scale[h] + shift[h]; weight sigmoid(g), or 1.
struct AttendGate {
  View items, choices;  // [B,T,H,r]
  float factor = 1;
  const float* scale = nullptr;  // [H] or null: 1
  const float* shift = nullptr;  // [H] or null: 0
  AttendApply apply = AttendApply::log_bias;
  bool sigmoid = true;
  const float* threshold = nullptr;  // [B,H,T] or null: every choice is kept
  const int32_t* last = nullptr;     // [B,H,T]: the last kept choice among those equal to the threshold
};

struct AttendForward {
  AttendShape shape;
  View q, k, v;  // [B,T,H,d]
  AttendGate gate;
  Dropout dropout;            // of the attention weights, element ((b H + h) T + t) T + c
  MutableView out;            // [B,T,H,d]; 0 in a row that keeps nothing
  float* lse = nullptr;       // [B,H,T]: natural log of the softmax's denominator; -inf in a row that keeps nothing
  MutableView soft_out;       // [B,T,H,d], straight-through only: what the output is if all choices are kept
  float* soft_lse = nullptr;  // [B,H,T], straight-through only
  uint32_t* stay = nullptr;   // attend_stay_words, where there is dropout: written, for the backward pass too
};

struct AttendBackward {
  AttendShape shape;
  View q, k, v;
  AttendGate gate;
  Dropout dropout;
  View out, d_out;
  const float* lse = nullptr;
  View soft_out;                    // as the forward left it
  const float* soft_lse = nullptr;  // not null: straight-through
  float* delta = nullptr;           // [B,H,T], workspace
  MutableView d_q, d_k, d_v;        // [B,T,H,d]
  MutableView d_items, d_choices;   // [B,T,H,r]; null: the factors get no gradient
  const uint32_t* stay = nullptr;   // as the forward left it
};

/// d in {32, 64, 128}; r 0 or a multiple of 8 up to 64.
bool attend_has_kernel(int64_t width, int64_t rank);

/// Words of memory for which weights dropout leaves: a bit each.
int64_t attend_stay_words(const AttendShape& shape);

/// O = P V, P as attention_weights() says. `stream` is a cudaStream_t.
void attend_forward(const AttendForward& call, void* stream);
/// d_q and d_items by a pass over query tiles, then d_k, d_v and d_choices by a pass over key tiles. Everything is
/// written, nothing added to.
void attend_backward(const AttendBackward& call, void* stream);

}  // namespace absorb::kernels
