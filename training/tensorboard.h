// A run's curves as a TensorBoard events file: TFRecord framing around Event messages, written by hand, since two
// message types with five fields don't justify a protobuf compiler. Formats: tensorflow/core/lib/io/record_writer.cc,
// tensorflow/core/util/event.proto and framework/summary.proto.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/files.h"

namespace absorb {

/// CRC32C (Castagnoli) of some bytes, rotated and shifted as TFRecord stores it.
uint32_t masked_crc32c(std::string_view bytes);

/// One record: length and data, each followed by its checksum, little-endian.
std::string tensorboard_record(std::string_view data);

struct Scalar {
  std::string tag;
  float value = 0;
};

/// An Event with scalars at a step, serialised. Its time is 2000-01-01 UTC plus one second for each step: metrics hold
/// no times, and equal runs give equal files. In TensorBoard the axes Relative and Wall therefore count steps too.
std::string tensorboard_event(int64_t step, const std::vector<Scalar>& scalars);

/// Writes every number of a run's metrics.jsonl (loss, val_loss, grad_norm, lr, ...) into
/// <run>/tensorboard/events.out.tfevents.946684800.absorb, a tag for each key; an earlier file there is replaced as a
/// whole. Returns the count of events; 0, and no file, when the run has no metrics yet.
int64_t write_tensorboard(const Path& run);

}  // namespace absorb
