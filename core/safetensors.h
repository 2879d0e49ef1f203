// Tensors in files that other tools open: https://huggingface.co/docs/safetensors (8-byte little-endian header length,
// JSON header, raw data). float32, float64, bfloat16, float16, int32, int64, uint8 and bool.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/files.h"

namespace absorb {

using NamedTensors = std::vector<std::pair<std::string, at::Tensor>>;

/// Writes tensors (copied to the CPU) and string metadata, aside and renamed. Returns the file's xxh3 hash.
std::string write_safetensors(const Path& path, const NamedTensors& tensors,
                              const std::map<std::string, std::string>& metadata = {});
/// A tensor that is made when it is written, and let go before the next one is.
struct PromisedTensor {
  std::string name;
  at::ScalarType type;
  std::vector<int64_t> shape;
  std::function<at::Tensor()> make;  // of that type and shape, else InternalError
};
/// The same of tensors that need not be in memory at once.
std::string write_safetensors(const Path& path, const std::vector<PromisedTensor>& tensors,
                              const std::map<std::string, std::string>& metadata);
/// UserError naming the file when it is absent, truncated or no safetensors file.
std::map<std::string, at::Tensor> read_safetensors(const Path& path);

/// The tensors of a file, each read when it is asked for: what is too large to hold twice.
class SafetensorsFile {
 public:
  /// Reads the header; UserError as read_safetensors.
  explicit SafetensorsFile(const Path& path);
  ~SafetensorsFile();
  SafetensorsFile(SafetensorsFile&&) noexcept;
  SafetensorsFile& operator=(SafetensorsFile&&) noexcept;

  std::vector<std::string> names() const;
  bool contains(const std::string& name) const;
  /// Of a tensor that is there, without reading it.
  std::vector<int64_t> shape(const std::string& name) const;
  /// A copy of a tensor that is there.
  at::Tensor read(const std::string& name) const;

 private:
  struct Contents;
  std::unique_ptr<const Contents> contents_;
};

}  // namespace absorb
