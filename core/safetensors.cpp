#include "core/safetensors.h"

#include <torch/types.h>

#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>

#include "core/error.h"
#include "core/text/json.h"

namespace absorb {
namespace {

using Json = nlohmann::json;

const std::vector<std::pair<std::string, at::ScalarType>>& types() {
  static const std::vector<std::pair<std::string, at::ScalarType>> all = {
      {"F32", at::kFloat}, {"F64", at::kDouble}, {"BF16", at::kBFloat16}, {"F16", at::kHalf},
      {"I32", at::kInt},   {"I64", at::kLong},   {"U8", at::kByte},       {"BOOL", at::kBool}};
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

// What the header says of one tensor.
struct Entry {
  at::ScalarType type = at::kFloat;
  std::vector<int64_t> shape;
  std::size_t begin = 0, end = 0;  // of the data
};

constexpr std::size_t most_dimensions = 16;
constexpr std::size_t most_waiting = 8 << 20;

// A whole number from 0 to `most`, whatever the JSON holds.
std::optional<uint64_t> whole(const Json& json, uint64_t most) {
  const bool negative = json.is_number_integer() && !json.is_number_unsigned() && json.get<int64_t>() < 0;
  if (!json.is_number_integer() || negative || json.get<uint64_t>() > most) return std::nullopt;
  return json.get<uint64_t>();
}

Entry read_entry(const std::string& name, const Json& json, std::size_t data, const Path& path) {
  const auto is = [&](bool holds) {
    require(holds, "{}: its header is damaged: what it says of `{}` can't be", path.string(), name);
  };
  is(json.is_object() && json.contains("dtype") && json["dtype"].is_string() && json.contains("shape") &&
     json["shape"].is_array() && json["shape"].size() <= most_dimensions && json.contains("data_offsets") &&
     json["data_offsets"].is_array() && json["data_offsets"].size() == 2);
  Entry entry;
  entry.type = type_named(json["dtype"], path);
  uint64_t bytes = at::elementSize(entry.type);
  for (const Json& size : json["shape"]) {
    const auto found = whole(size, std::numeric_limits<int64_t>::max());
    is(found.has_value());
    entry.shape.push_back(static_cast<int64_t>(*found));
    // More than a file could hold, or 0 from here on: no product that wraps around.
    is(*found == 0 || bytes <= std::numeric_limits<int64_t>::max() / *found);
    bytes *= *found;
  }
  const auto begin = whole(json["data_offsets"][0], std::numeric_limits<int64_t>::max()),
             end = whole(json["data_offsets"][1], std::numeric_limits<int64_t>::max());
  is(begin && end && *begin <= *end);
  require(*end <= data, "{}: truncated: {} ends at byte {} of {}", path.string(), name, *end, data);
  require(bytes == *end - *begin, "{}: {} has another size than its shape says", path.string(), name);
  entry.begin = *begin;
  entry.end = *end;
  return entry;
}

}  // namespace

std::string write_safetensors(const Path& path, const std::vector<PromisedTensor>& tensors,
                              const std::map<std::string, std::string>& metadata) {
  Json header = Json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::size_t offset = 0;
  for (const PromisedTensor& tensor : tensors) {
    std::size_t bytes = at::elementSize(tensor.type);
    for (const int64_t size : tensor.shape) bytes *= static_cast<std::size_t>(size);
    header[tensor.name] = {
        {"dtype", type_name(tensor.type)}, {"shape", tensor.shape}, {"data_offsets", {offset, offset + bytes}}};
    offset += bytes;
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  std::string first(8, '\0');
  const uint64_t length = text.size();
  std::memcpy(first.data(), &length, 8);
  StreamHash hash;
  write_file(path, [&](int descriptor) {
    std::string waiting;  // small tensors are written together
    const auto flush = [&] {
      write_bytes(descriptor, waiting, path);
      waiting.clear();
    };
    const auto put = [&](std::string_view bytes) {
      hash.update(bytes);
      if (waiting.size() + bytes.size() > most_waiting) flush();
      if (bytes.size() > most_waiting) return write_bytes(descriptor, bytes, path);
      waiting += bytes;
    };
    put(first + text);
    for (const PromisedTensor& promised : tensors) {
      const at::Tensor tensor = promised.make().detach().to(at::kCPU).contiguous();
      check(tensor.scalar_type() == promised.type && tensor.sizes() == at::IntArrayRef(promised.shape),
            "safetensors: {} is another tensor than was promised", promised.name);
      put({static_cast<const char*>(tensor.const_data_ptr()), tensor.nbytes()});
    }
    flush();
  });
  return hash.hex();
}

std::string write_safetensors(const Path& path, const NamedTensors& tensors,
                              const std::map<std::string, std::string>& metadata) {
  std::vector<PromisedTensor> promised;
  for (const auto& named : tensors)
    promised.push_back(
        {named.first, named.second.scalar_type(), named.second.sizes().vec(), [&named] { return named.second; }});
  return write_safetensors(path, promised, metadata);
}

struct SafetensorsFile::Contents {
  explicit Contents(const Path& path) : file(path) {}
  MappedFile file;
  std::string_view data;
  std::map<std::string, Entry> entries;
};

SafetensorsFile::SafetensorsFile(const Path& path) {
  auto contents = std::make_unique<Contents>(path);
  const std::string_view bytes = contents->file.text();
  uint64_t length = 0;
  require(bytes.size() >= 8, "{}: truncated: no safetensors header", path.string());
  std::memcpy(&length, bytes.data(), 8);
  require(length <= bytes.size() - 8, "{}: truncated: its header says {} bytes", path.string(), length);
  const Json header = parse_json(bytes.substr(8, length));
  require(header.is_object(), "{}: its safetensors header is no JSON", path.string());
  contents->data = bytes.substr(8 + length);
  for (const auto& [name, json] : header.items())
    if (name != "__metadata__") contents->entries.emplace(name, read_entry(name, json, contents->data.size(), path));
  contents_ = std::move(contents);
}

SafetensorsFile::~SafetensorsFile() = default;
SafetensorsFile::SafetensorsFile(SafetensorsFile&&) noexcept = default;
SafetensorsFile& SafetensorsFile::operator=(SafetensorsFile&&) noexcept = default;

std::vector<std::string> SafetensorsFile::names() const {
  std::vector<std::string> out;
  for (const auto& [name, entry] : contents_->entries) out.push_back(name);
  return out;
}

bool SafetensorsFile::contains(const std::string& name) const {
  return contents_->entries.contains(name);
}

std::vector<int64_t> SafetensorsFile::shape(const std::string& name) const {
  return contents_->entries.at(name).shape;
}

at::Tensor SafetensorsFile::read(const std::string& name) const {
  const Entry& entry = contents_->entries.at(name);
  at::Tensor tensor = at::empty(entry.shape, entry.type);
  if (entry.end > entry.begin)
    std::memcpy(tensor.mutable_data_ptr(), contents_->data.data() + entry.begin, entry.end - entry.begin);
  return tensor;
}

std::map<std::string, at::Tensor> read_safetensors(const Path& path) {
  const SafetensorsFile file(path);
  std::map<std::string, at::Tensor> out;
  for (const std::string& name : file.names()) out.emplace(name, file.read(name));
  return out;
}

}  // namespace absorb
