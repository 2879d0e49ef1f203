#include "studies/study/plugins.h"

#include "core/error.h"

namespace absorb {

void place_plugins(Settings& tables, const Path& file) {
  const Settings study = tables.table("study");
  if (!study.has("plugins")) return;
  const Json& named = study.value()["plugins"];
  const auto is_path = [](const Json& item) { return item.is_string(); };
  require(named.is_array() && std::all_of(named.begin(), named.end(), is_path),
          "{}: `plugins` is an array of strings, the paths of plug-ins", study.where("plugins"));
  Json placed = Json::array();
  for (const Json& plugin : named)
    placed.push_back(
        (std::filesystem::absolute(file).parent_path() / plugin.get<std::string>()).lexically_normal().string());
  tables.merge(Settings::from_json(std::move(placed), study.where("plugins")).under("study.plugins"));
}

}  // namespace absorb
