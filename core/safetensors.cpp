#include "core/safetensors.h"

#include <torch/types.h>

#include <cstring>
#include <nlohmann/json.hpp>

#include "core/error.h"

namespace absorb {
namespace {

using Json = nlohmann::json;

const std::vector<std::pair<std::string, at::ScalarType>>& types() {
  static const std::vector<std::pair<std::string, at::ScalarType>> all = {
      {"F32", at::kFloat}, {"F64", at::kDouble}, {"BF16", at::kBFloat16}, {"I32", at::kInt},
      {"I64", at::kLong},  {"U8", at::kByte},    {"BOOL", at::kBool}};
  return all;
}

std::string type_name(at::ScalarType type) {
  for (const auto& [name, known] : types())
    if (known == type) return name;
  throw InternalError("safetensors: unsupported type");
}

at::ScalarType type_named(const std::string& name, const Path& path) {
  for (const auto& [known, type] : types())
    if (known == name) return type;
  user_error("{}: tensors of type {} can't be read", path.string(), name);
}

}  // namespace

std::string write_safetensors(const Path& path, const NamedTensors& tensors,
                              const std::map<std::string, std::string>& metadata) {
  Json header = Json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::vector<at::Tensor> stored;
  std::size_t offset = 0;
  for (const auto& [name, tensor] : tensors) {
    stored.push_back(tensor.detach().to(at::kCPU).contiguous());
    const std::size_t bytes = stored.back().nbytes();
    header[name] = {{"dtype", type_name(tensor.scalar_type())},
                    {"shape", tensor.sizes().vec()},
                    {"data_offsets", {offset, offset + bytes}}};
    offset += bytes;
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  std::string bytes(8, '\0');
  const uint64_t length = text.size();
  std::memcpy(bytes.data(), &length, 8);
  bytes += text;
  bytes.reserve(bytes.size() + offset);
  for (const auto& tensor : stored) bytes.append(static_cast<const char*>(tensor.const_data_ptr()), tensor.nbytes());
  write_file(path, bytes);
  return hash_hex(bytes);
}

std::map<std::string, at::Tensor> read_safetensors(const Path& path) {
  const MappedFile file(path);
  const std::string_view bytes = file.text();
  uint64_t length = 0;
  require(bytes.size() >= 8, "{}: truncated: no safetensors header", path.string());
  std::memcpy(&length, bytes.data(), 8);
  require(length <= bytes.size() - 8, "{}: truncated: its header says {} bytes", path.string(), length);
  const Json header = Json::parse(bytes.substr(8, length), nullptr, false);
  require(header.is_object(), "{}: its safetensors header is no JSON", path.string());
  const std::string_view data = bytes.substr(8 + length);
  std::map<std::string, at::Tensor> out;
  for (const auto& [name, entry] : header.items()) {
    if (name == "__metadata__") continue;
    const auto begin = entry.at("data_offsets")[0].get<std::size_t>(),
               end = entry.at("data_offsets")[1].get<std::size_t>();
    require(begin <= end && end <= data.size(), "{}: truncated: {} ends at byte {} of {}", path.string(), name, end,
            data.size());
    const auto shape = entry.at("shape").get<std::vector<int64_t>>();
    at::Tensor tensor = at::empty(shape, type_named(entry.at("dtype"), path));
    require(tensor.nbytes() == end - begin, "{}: {} has another size than its shape says", path.string(), name);
    std::memcpy(tensor.mutable_data_ptr(), data.data() + begin, end - begin);
    out.emplace(name, std::move(tensor));
  }
  return out;
}

}  // namespace absorb
