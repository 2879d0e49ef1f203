// Tensors in files that other tools open: https://huggingface.co/docs/safetensors (8-byte little-endian header length,
// JSON header, raw data). float32, float64, bfloat16, int32, int64, uint8 and bool.
#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/files.h"

namespace absorb {

using NamedTensors = std::vector<std::pair<std::string, at::Tensor>>;

/// Writes tensors (copied to the CPU) and string metadata, aside and renamed. Returns the file's xxh3 hash.
std::string write_safetensors(const Path& path, const NamedTensors& tensors,
                              const std::map<std::string, std::string>& metadata = {});
/// UserError naming the file when it is absent, truncated or no safetensors file.
std::map<std::string, at::Tensor> read_safetensors(const Path& path);

}  // namespace absorb
