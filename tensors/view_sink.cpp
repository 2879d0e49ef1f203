#include "tensors/view_sink.h"

#include <torch/types.h>

namespace absorb {

ViewSink::ViewSink(const Tensor& x) {
  const Tensor whole = x.is_view() ? Tensor(x._base()) : x;
  if (whole.numel() != x.numel() || whole.scalar_type() != x.scalar_type()) return;
  sink_ = sink_of(whole);
  view_ = layout_of(x);
  whole_ = layout_of(whole);
}

ViewSink::Layout ViewSink::layout_of(const Tensor& x) {
  return {x.sizes().vec(), x.strides().vec(), x.storage_offset()};
}

bool ViewSink::leave(const Tensor& gradient) const {
  if (!sink_ || sink_->defined() || gradient.strides() != at::IntArrayRef(view_.strides)) return false;
  *sink_ = gradient.as_strided(whole_.sizes, whole_.strides, gradient.storage_offset() + whole_.offset - view_.offset);
  return true;
}

Tensor ViewSink::left() const {
  if (!sink_ || !sink_->defined() || sink_->strides() != at::IntArrayRef(whole_.strides)) return {};
  return sink_->as_strided(view_.sizes, view_.strides, sink_->storage_offset() + view_.offset - whole_.offset);
}

}  // namespace absorb
