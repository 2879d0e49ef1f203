#include "studies/pretrained/checkpoint.h"

#include <set>

#include "core/error.h"
#include "core/text/json.h"
#include "studies/folder/paths.h"

namespace absorb {
namespace {

constexpr const char* single_file = "model.safetensors";
constexpr const char* index_file = "model.safetensors.index.json";

Json read_object(const Path& file) {
  Json value = parse_json(read_file(file));
  require(value.is_object(), "{}: no JSON object", shown(file));
  return value;
}

}  // namespace

HuggingFaceConfig::HuggingFaceConfig(const Path& folder) : file_(folder / "config.json") {
  require(std::filesystem::is_directory(folder), "{}: no folder of a model: it should hold config.json and {}",
          shown(folder), single_file);
  require(std::filesystem::exists(file_), "{}: holds no config.json, so that nothing says what model it is",
          shown(folder));
  value_ = read_object(file_);
}

bool HuggingFaceConfig::has(const std::string& key) const {
  return value_.contains(key) && !value_.at(key).is_null();
}

std::string HuggingFaceConfig::text(const std::string& key, const std::optional<std::string>& initial) const {
  if (!has(key) && initial) return *initial;
  require(has(key) && value_.at(key).is_string(), "{}: `{}` should be text", shown(file_), key);
  return value_.at(key);
}

int64_t HuggingFaceConfig::whole(const std::string& key, std::optional<int64_t> initial) const {
  if (!has(key) && initial) return *initial;
  require(has(key) && value_.at(key).is_number_integer(), "{}: `{}` should be a whole number", shown(file_), key);
  const int64_t value = whole_number(value_.at(key));
  require(value >= 0 && value <= int64_t{1} << 40, "{}: `{}` = {} can't be", shown(file_), key, value);
  return value;
}

double HuggingFaceConfig::number(const std::string& key, std::optional<double> initial) const {
  if (!has(key) && initial) return *initial;
  require(has(key) && value_.at(key).is_number(), "{}: `{}` should be a number", shown(file_), key);
  return value_.at(key);
}

bool HuggingFaceConfig::flag(const std::string& key, bool initial) const {
  if (!has(key)) return initial;
  require(value_.at(key).is_boolean(), "{}: `{}` should be true or false", shown(file_), key);
  return value_.at(key);
}

std::vector<int64_t> HuggingFaceConfig::list(const std::string& key) const {
  std::vector<int64_t> out;
  if (!has(key)) return out;
  const Json& value = value_.at(key);
  for (const Json& element : value.is_array() ? value : Json::array({nullptr})) {
    require(element.is_number_integer(), "{}: `{}` should be a list of whole numbers", shown(file_), key);
    out.push_back(whole_number(element));
  }
  return out;
}

HuggingFaceConfig HuggingFaceConfig::object(const std::string& key) const {
  if (!has(key)) return {file_, Json::object()};
  require(value_.at(key).is_object(), "{}: `{}` should be an object", shown(file_), key);
  return {file_, value_.at(key)};
}

HuggingFaceTensors::HuggingFaceTensors(const Path& folder) : folder_(folder) {
  std::map<std::string, std::string> index;  // tensor, file
  if (const Path file = folder / index_file; std::filesystem::exists(file)) {
    const Json json = read_object(file);
    read_guarded(file.string(), [&] { index = json.at("weight_map").get<std::map<std::string, std::string>>(); });
    std::set<std::string> named;
    for (const auto& [tensor, shard] : index) {
      require(is_inside(shard), "{}: names the file \"{}\", which lies outside the folder", shown(file), shard);
      named.insert(shard);
    }
    files_.assign(named.begin(), named.end());
  } else {
    require(std::filesystem::exists(folder / single_file), "{}: holds neither {} nor {}", shown(folder), single_file,
            index_file);
    files_ = {single_file};
  }
  for (const std::string& file : files_)
    require(std::filesystem::exists(folder / file), "{}: the shard {}, which its index names, is missing",
            shown(folder), file);
  for (const std::string& file : files_) {
    const auto shard = shards_.emplace(file, SafetensorsFile(folder / file)).first;
    for (const std::string& name : shard->second.names()) {
      const bool twice = !at_.emplace(name, file).second;
      require(!twice, "{}: {} is in two shards", shown(folder), name);
      const bool known = index.empty() || (index.contains(name) && index.at(name) == file);
      require(known, "{}: the shard {} holds {}, which the index has elsewhere or not at all", shown(folder), file,
              name);
    }
  }
  for (const auto& [name, file] : index)
    require(at_.contains(name), "{}: the index has {} in {}, which doesn't hold it", shown(folder), name, file);
}

std::vector<std::string> HuggingFaceTensors::names() const {
  std::vector<std::string> out;
  for (const auto& [name, file] : at_) out.push_back(name);
  return out;
}

std::vector<int64_t> HuggingFaceTensors::shape(const std::string& name) const {
  return shards_.at(at_.at(name)).shape(name);
}

Tensor HuggingFaceTensors::read(const std::string& name) const {
  return shards_.at(at_.at(name)).read(name);
}

std::string HuggingFaceTensors::hash() const {
  StreamHash hash;
  for (const std::string& file : files_) hash.update(MappedFile(folder_ / file).text());
  return hash.hex();
}

}  // namespace absorb
