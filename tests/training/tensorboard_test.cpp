#include "training/tensorboard.h"

#include <cstring>
#include <map>
#include <stdexcept>

#include "tests/training/data/data_fixture.h"

namespace absorb {
namespace {

/// A reader from the formats' own descriptions: what it can't follow, it throws at.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}
  bool done() const { return rest_.empty(); }
  std::string_view take(std::size_t size) {
    if (size > rest_.size()) throw std::runtime_error("cut short");
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }
  template <class T>
  T number() {
    T value;
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
    return value;
  }
  uint64_t varint() {
    uint64_t value = 0;
    for (int shift = 0;; shift += 7) {
      const auto byte = number<unsigned char>();
      value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  }
  /// One record of a TFRecord file.
  std::string_view record() {
    const std::string_view length = take(8);
    if (number<uint32_t>() != masked_crc32c(length)) throw std::runtime_error("checksum of the length");
    const std::string_view data = take(Reader(length).number<uint64_t>());
    if (number<uint32_t>() != masked_crc32c(data)) throw std::runtime_error("checksum of the data");
    return data;
  }

 private:
  std::string_view rest_;
};

struct Event {
  double time = 0;
  int64_t step = -1;
  std::string version;
  std::map<std::string, float> scalars;
};

Event parsed(std::string_view data) {
  Event event;
  for (Reader in(data); !in.done();) switch (in.varint()) {
      case 1 << 3 | 1:
        event.time = in.number<double>();
        break;
      case 2 << 3 | 0:
        event.step = static_cast<int64_t>(in.varint());
        break;
      case 3 << 3 | 2:
        event.version = in.take(in.varint());
        break;
      case 5 << 3 | 2:
        for (Reader summary(in.take(in.varint())); !summary.done();) {
          EXPECT_EQ(summary.varint(), 1u << 3 | 2);
          Reader value(summary.take(summary.varint()));
          EXPECT_EQ(value.varint(), 1u << 3 | 2);
          const std::string tag(value.take(value.varint()));
          EXPECT_EQ(value.varint(), 2u << 3 | 5);
          event.scalars[tag] = value.number<float>();
          EXPECT_TRUE(value.done());
        }
        break;
      default:
        throw std::runtime_error("a field that Event doesn't have");
    }
  return event;
}

class TrainingTensorboard : public DataFixture {
 protected:
  std::vector<Event> events() const {
    const std::string content = read_file(folder_ / "tensorboard/events.out.tfevents.946684800.absorb");
    std::vector<Event> all;
    for (Reader in(content); !in.done();) all.push_back(parsed(in.record()));
    return all;
  }
};

// The check value of CRC-32C (RFC 3720, B.4: 32 zeros give 0x8a9136aa) and TFRecord's mask of it.
TEST_F(TrainingTensorboard, ChecksumsAreMaskedCrc32c) {
  const auto unmasked = [](std::string_view bytes) {
    const uint32_t rotated = masked_crc32c(bytes) - 0xa282ead8u;
    return rotated >> 17 | rotated << 15;
  };
  EXPECT_EQ(unmasked("123456789"), 0xe3069283u);
  EXPECT_EQ(unmasked(std::string(32, '\0')), 0x8a9136aau);
}

TEST_F(TrainingTensorboard, EveryNumberOfTheMetricsBecomesAScalarAtItsStep) {
  put("metrics.jsonl",
      "{\"step\":1,\"loss\":5.5,\"lr\":0.001,\"grad_norm\":null,\"note\":\"x\"}\n{\"step\":300,\"val_loss\":4.25}\n"
      "{\"step\":301,\"loss\":");  // torn
  EXPECT_EQ(write_tensorboard(folder_), 2);
  const std::vector<Event> all = events();
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[0].version, "brain.Event:2");
  EXPECT_EQ(all[1].step, 1);
  EXPECT_EQ(all[1].scalars, (std::map<std::string, float>{{"loss", 5.5f}, {"lr", 0.001f}}));
  EXPECT_EQ(all[2].step, 300);
  EXPECT_EQ(all[2].scalars, (std::map<std::string, float>{{"val_loss", 4.25f}}));
  EXPECT_EQ(all[2].time - all[1].time, 299.0);
}

TEST_F(TrainingTensorboard, ANewFileReplacesTheOldOne) {
  EXPECT_EQ(write_tensorboard(folder_), 0);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "tensorboard"));
  put("metrics.jsonl", "{\"step\":1,\"loss\":5.5}\n{\"step\":2,\"loss\":5}\n");
  write_tensorboard(folder_);
  put("metrics.jsonl", "{\"step\":7,\"loss\":1}\n");
  write_tensorboard(folder_);
  ASSERT_EQ(events().size(), 2u);
  EXPECT_EQ(events()[1].step, 7);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_ / "tensorboard"), {}), 1);
}

}  // namespace
}  // namespace absorb
