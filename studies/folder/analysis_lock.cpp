#include "studies/folder/analysis_lock.h"

#include "core/error.h"

namespace absorb {

std::vector<std::string> locked_contrasts(const Path& folder) {
  std::vector<std::string> names;
  if (!std::filesystem::exists(folder / "analysis.lock")) return names;
  const Json lock = Json::parse(read_file(folder / "analysis.lock"), nullptr, false);
  require(lock.is_object(), "{}: is no JSON", (folder / "analysis.lock").string());
  for (const Json& contrast : lock.at("contrasts")) names.push_back(contrast.at("name"));
  return names;
}

std::vector<std::string> lock_analysis(const Study& study, const Path& folder) {
  if (!std::filesystem::exists(folder / "analysis.lock")) {
    Json contrasts = Json::array();
    for (const ContrastSpec& contrast : study.contrasts) contrasts.push_back(write_settings(contrast));
    std::filesystem::create_directories(folder);
    write_file(folder / "analysis.lock", Json{{"contrasts", contrasts}}.dump(2) + '\n');
  }
  return locked_contrasts(folder);
}

}  // namespace absorb
