// What the launchers of attend.cuh check, and which kernels they run.
#include <stdexcept>
#include <string>

#include "attention/cuda/attend_backward.cuh"

namespace absorb::kernels {

namespace attend {

template <int D>
void forward_of_width(const AttendForward& call, void* stream);

}  // namespace attend

namespace {

void check_view(const char* name, const Bf16* data, int64_t batch, int64_t item, int64_t head) {
  if (reinterpret_cast<uintptr_t>(data) % 16 == 0 && batch % 8 == 0 && item % 8 == 0 && head % 8 == 0) return;
  throw std::runtime_error(std::string("attend: ") + name + " must begin at a multiple of 16 bytes and have strides " +
                           "that are multiples of 8");
}

template <typename AnyView>
void check_view(const char* name, const AnyView& view) {
  check_view(name, view.data, view.batch, view.item, view.head);
}

void check_shape(const AttendShape& shape) {
  if (!attend_has_kernel(shape.width, shape.rank))
    throw std::runtime_error("attend: no kernel for head size " + std::to_string(shape.width) + " and rank " +
                             std::to_string(shape.rank));
  const int64_t blocks = int64_t{shape.batch} * shape.heads * attend::tiles_of(shape.items, attend::tile_columns);
  if (blocks > 0x7fffffff) throw std::runtime_error("attend: too many sequences, heads and items for one launch");
}

template <typename Call>
void check_inputs(const Call& call) {
  check_shape(call.shape);
  if (call.dropout.threshold != 0 && call.stay == nullptr)
    throw std::runtime_error("attend: dropout needs the words of attend_stay_words");
  check_view("q", call.q);
  check_view("k", call.k);
  check_view("v", call.v);
  if (call.shape.rank == 0) return;
  check_view("items", call.gate.items);
  check_view("choices", call.gate.choices);
}

void forward_once(const AttendForward& call, void* stream) {
  switch (call.shape.width) {
    case 32:
      return attend::forward_of_width<32>(call, stream);
    case 64:
      return attend::forward_of_width<64>(call, stream);
    default:
      return attend::forward_of_width<128>(call, stream);
  }
}

void query_pass(const AttendBackward& call, void* stream) {
  switch (call.shape.width) {
    case 32:
      return attend::query_pass<32>(call, stream);
    case 64:
      return attend::query_pass<64>(call, stream);
    default:
      return attend::query_pass<128>(call, stream);
  }
}

void key_pass(const AttendBackward& call, void* stream) {
  switch (call.shape.width) {
    case 32:
      return attend::key_pass<32>(call, stream);
    case 64:
      return attend::key_pass<64>(call, stream);
    default:
      return attend::key_pass<128>(call, stream);
  }
}

}  // namespace

bool attend_has_kernel(int64_t width, int64_t rank) {
  return (width == 32 || width == 64 || width == 128) && rank >= 0 && rank <= 64 && rank % 8 == 0;
}

int64_t attend_stay_words(const AttendShape& shape) {
  return int64_t{shape.batch} * shape.heads * shape.items * attend::words_of(shape.items);
}

void attend_forward(const AttendForward& call, void* stream) {
  check_inputs(call);
  check_view("out", call.out);
  if (call.shape.batch == 0 || call.shape.items == 0) return;
  if (call.dropout.threshold != 0)
    attend::draw_stay_bits(call.dropout, int64_t{call.shape.batch} * call.shape.heads, call.shape.items, call.stay,
                           stream);
  forward_once(call, stream);
  if (call.soft_lse == nullptr) return;
  check_view("soft_out", call.soft_out);
  AttendForward soft = call;
  soft.gate.threshold = nullptr;
  soft.out = call.soft_out;
  soft.lse = call.soft_lse;
  forward_once(soft, stream);
}

void attend_backward(const AttendBackward& call, void* stream) {
  check_inputs(call);
  check_view("out", call.out);
  check_view("d_out", call.d_out);
  check_view("d_q", call.d_q);
  check_view("d_k", call.d_k);
  check_view("d_v", call.d_v);
  check_view("d_items", call.d_items);
  check_view("d_choices", call.d_choices);
  if (call.shape.batch == 0 || call.shape.items == 0) return;
  if (call.soft_lse == nullptr) {
    query_pass(call, stream);
    key_pass(call, stream);
    return;
  }
  // Straight-through: everything as if all choices were kept, but for d_v, which the hard probabilities make.
  AttendBackward soft = call;
  soft.gate.threshold = nullptr;
  soft.out = call.soft_out;
  soft.lse = call.soft_lse;
  soft.d_v = {};
  query_pass(soft, stream);
  key_pass(soft, stream);
  AttendBackward hard = call;
  hard.d_k = {};
  hard.d_choices = {};
  key_pass(hard, stream);
}

}  // namespace absorb::kernels
