#include "compensation/measures/cells.h"

#include "core/error.h"
#include "core/text/json.h"

namespace absorb {

Cells::Cells(Path cache) : cache_(std::move(cache)) {
  if (!cache_.empty()) require_writable(cache_);
}

Path Cells::path_of(const std::string& name) const {
  return cache_ / (name + ".json");
}

bool Cells::has(const Json& key) {
  const std::string name = hash_hex(key.dump());
  if (known_.contains(name)) return true;
  if (cache_.empty() || !std::filesystem::exists(path_of(name))) return false;
  Json file = parse_json(read_file(path_of(name)));
  if (!file.is_object() || !unseal(file) || file.value("key", Json()) != key || !file.contains("value")) return false;
  known_[name] = file.at("value");
  return true;
}

const Json& Cells::get(const Json& key, const std::function<Json()>& make) {
  const std::string name = hash_hex(key.dump());
  if (has(key)) return known_.at(name);
  Json value = make();
  if (!cache_.empty()) write_file(path_of(name), sealed(Json{{"key", key}, {"value", value}}, -1));
  return known_[name] = std::move(value);
}

}  // namespace absorb
