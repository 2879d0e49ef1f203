#include "training/tensorboard.h"

#include <fmt/format.h>

#include <bit>
#include <boost/crc.hpp>
#include <nlohmann/json.hpp>

#include "training/metrics.h"

namespace absorb {
namespace {

constexpr int64_t origin = 946'684'800;  // 2000-01-01 in Unix seconds

static_assert(std::endian::native == std::endian::little, "numbers are written as they lie");

template <class T>
void append_raw(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

// Protocol Buffers' wire format: a field is its number and type, then the value.
enum Wire : unsigned { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };

void append_varint(std::string& out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);
}

void append_key(std::string& out, unsigned field, Wire type) {
  append_varint(out, field << 3 | type);
}

void append_bytes(std::string& out, unsigned field, std::string_view value) {
  append_key(out, field, bytes);
  append_varint(out, value.size());
  out += value;
}

/// wall_time (1) and step (2), which every Event starts with.
std::string event_head(int64_t step) {
  std::string event;
  append_key(event, 1, fixed64);
  append_raw(event, static_cast<double>(origin + step));
  append_key(event, 2, varint);
  append_varint(event, static_cast<uint64_t>(step));
  return event;
}

/// The Event that a file starts with: file_version (3).
std::string version_event() {
  std::string event = event_head(0);
  append_bytes(event, 3, "brain.Event:2");
  return event;
}

std::vector<Scalar> scalars_of(const nlohmann::json& line) {
  std::vector<Scalar> scalars;
  for (const auto& [key, value] : line.items())
    if (key != "step" && value.is_number()) scalars.push_back({key, value.get<float>()});
  return scalars;
}

}  // namespace

uint32_t masked_crc32c(std::string_view data) {
  boost::crc_optimal<32, 0x1edc6f41, 0xffffffff, 0xffffffff, true, true> crc;
  crc.process_bytes(data.data(), data.size());
  const auto sum = static_cast<uint32_t>(crc.checksum());
  return std::rotr(sum, 15) + 0xa282ead8u;
}

std::string tensorboard_record(std::string_view data) {
  std::string record;
  append_raw(record, static_cast<uint64_t>(data.size()));
  append_raw(record, masked_crc32c(record));
  record += data;
  append_raw(record, masked_crc32c(data));
  return record;
}

std::string tensorboard_event(int64_t step, const std::vector<Scalar>& scalars) {
  std::string summary;
  for (const Scalar& scalar : scalars) {
    std::string value;
    append_bytes(value, 1, scalar.tag);
    append_key(value, 2, fixed32);
    append_raw(value, scalar.value);
    append_bytes(summary, 1, value);
  }
  std::string event = event_head(step);
  append_bytes(event, 5, summary);
  return event;
}

int64_t write_tensorboard(const Path& run) {
  std::string content = tensorboard_record(version_event());
  int64_t events = 0;
  for (const nlohmann::json& line : read_metrics(run / "metrics.jsonl")) {
    const std::vector<Scalar> scalars = scalars_of(line);
    if (scalars.empty() || !line.contains("step")) continue;
    content += tensorboard_record(tensorboard_event(line.at("step").get<int64_t>(), scalars));
    ++events;
  }
  if (events == 0) return 0;
  require_writable(run / "tensorboard");
  write_file(run / "tensorboard" / fmt::format("events.out.tfevents.{}.absorb", origin), content);
  return events;
}

}  // namespace absorb
