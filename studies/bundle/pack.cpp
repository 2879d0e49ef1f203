#include <sstream>

#include "core/error.h"
#include "core/text/json.h"
#include "studies/bundle/archive.h"
#include "studies/bundle/bundle.h"
#include "studies/folder/paths.h"

namespace absorb {
namespace {

namespace fs = std::filesystem;

/// A file of the bundle: as it lies in the folder, or changed on its way.
struct Item {
  Path source;
  std::optional<std::string> text;
};
using Items = std::map<std::string, Item>;

bool is_weights(const std::string& name) {
  return name.starts_with("weights") && name.ends_with(".safetensors");
}

void add_run(const Path& folder, const std::string& run, const PackOptions& options, Items& items) {
  for (const char* below : {"", "deployments", "compensation"}) {
    const Path from = folder / run / below;
    if (!fs::is_directory(from)) continue;
    for (const auto& entry : fs::directory_iterator(from)) {
      const std::string name = entry.path().filename().string();
      const bool passing = name.starts_with("claim.") || name.find(".tmp") != std::string::npos;
      if (!entry.is_regular_file() || passing || (is_weights(name) && !options.weights)) continue;
      Item item{entry.path(), {}};
      if (name == "metrics.jsonl" && options.every > 1) item.text = thinned(read_file(entry.path()), options.every);
      items[entry.path().lexically_relative(folder).generic_string()] = std::move(item);
    }
  }
}

Items items_of(const Path& folder, const PlanRecord& plan, const PackOptions& options) {
  Items items;
  for (const char* name : {"study.toml", "analysis.lock"})
    if (fs::exists(folder / name)) items[name] = {folder / name, {}};
  if (fs::is_directory(folder / "plugins"))  // which study.toml names
    for (const auto& entry : fs::directory_iterator(folder / "plugins"))
      if (entry.path().extension() == ".so") items["plugins/" + entry.path().filename().string()] = {entry.path(), {}};
  items["plan.json"] = {{}, record_text(plan)};  // a folder of format 0 has none
  for (const PlannedRun& run : plan.runs)
    // A run that is under way has a claim and checkpoints, which nobody could go on from elsewhere.
    if (has_ended(folder / run.folder)) add_run(folder, run.folder, options, items);
  return items;
}

}  // namespace

std::string thinned(const std::string& metrics, int64_t every) {
  std::istringstream in(metrics);
  std::string out, before;
  bool first = true;
  for (std::string line; std::getline(in, line);) {
    const Json json = parse_json(line);
    const bool evaluation = json.is_object() && json.contains("val_loss");
    const bool step = json.is_object() && json.contains("step") && json["step"].is_number_integer();
    if (evaluation && !before.empty()) out += before + '\n';
    before.clear();
    if (first || evaluation || (step && json["step"].get<int64_t>() % every == 0))
      out += line + '\n';
    else
      before = line;
    first = false;
  }
  return before.empty() ? out : out + before + '\n';
}

BundleRecord pack(const Path& folder, const PlanRecord& plan, const Path& out, const PackOptions& options) {
  require(options.every >= 1, "--every must be at least 1 but got {}", options.every);
  const Path whole = fs::absolute(folder).lexically_normal();
  BundleRecord record;
  record.study = (whole.filename().empty() ? whole.parent_path() : whole).filename().string();
  record.weights = options.weights;
  record.every = options.every;
  const Items items = items_of(folder, plan, options);
  for (const auto& [name, item] : items) {
    FileRecord& file = record.files[name];
    file = item.text ? FileRecord{static_cast<int64_t>(item.text->size()), hash_hex(*item.text), {}}
                     : file_record(item.source);
    file.at = std::nullopt;  // of no use elsewhere, and a bundle of the same study is the same bytes
  }
  write_file(out, [&](int descriptor) {
    ArchiveWriter archive(descriptor, out);
    archive.add("bundle.json", record_text(record));
    for (const auto& [name, item] : items)
      item.text ? archive.add(name, *item.text) : archive.add(name, MappedFile(item.source).text());
    archive.finish();
  });
  return record;
}

}  // namespace absorb
