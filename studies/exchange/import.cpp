#include "studies/exchange/import.h"

#include <torch/types.h>

#include "core/device.h"
#include "core/error.h"
#include "core/text/clock.h"
#include "core/text/json.h"
#include "studies/folder/records/cell.h"
#include "studies/folder/records/files.h"
#include "studies/run/provenance.h"
#include "training/checkpoint.h"

namespace absorb {
namespace {

namespace fs = std::filesystem;

}  // namespace

RunSettings settings_of(const Architecture& architecture) {
  RunSettings run;
  run.target = architecture.target;
  run.seed = 0;
  run.model = architecture.model;
  run.moe = architecture.experts;
  run.data = read_data(Settings::from_json({{"type", "imported"}, {"vocabulary", architecture.vocabulary}}, "import"));
  return run;
}

void load_pretrained(const LiveRun& run, const PretrainedModel& model) {
  const at::NoGradGuard no_grad;
  for (auto& [name, tensor] : named_tensors(run.parameters())) {
    Tensor to = tensor;
    to.copy_(model.read(name));
  }
}

ImportResult import_model(const Path& from, const Path& to, const std::vector<std::string>& argv) {
  require(!fs::exists(to), "{} exists: an import makes a new folder", shown(to));
  const PretrainedModel model(from);
  ImportResult result{model.architecture().family, 0, model.hash()};
  uint64_t bytes = 0;
  for (const auto& [name, shape] : model.shapes()) {
    const int64_t numbers = c10::multiply_integers(shape);
    result.parameters += numbers;
    bytes += 4 * static_cast<uint64_t>(numbers);
  }
  require(bytes < free_bytes(to), "{} needs {} MB, and the disk has {}", shown(to), bytes / 1000000,
          free_bytes(to) / 1000000);
  const RunSettings run = settings_of(model.architecture());
  const Path aside = to.string() + ".tmp." + random_name();
  make_folder(aside);
  try {
    std::vector<PromisedTensor> tensors;
    for (const auto& named : model.shapes())
      tensors.push_back({named.first, at::kFloat, named.second, [&] { return model.read(named.first); }});
    write_file(aside / "settings.json", sealed(write_run_settings(run), 2));
    write_file(aside / "settings.toml", Settings::from_json(write_run_settings(run), "").toml());
    write_record(aside / "cell.json", CellRecord{result.family, {}, result.hash});
    write_safetensors(aside / "weights.safetensors", tensors,
                      metadata(WeightsMetadata{result.family, run.target, result.hash}));
    ProvenanceRecord made = provenance(argv, device_name(at::kCPU), 1);
    made.data = {{"describe", "imported from " + fs::absolute(from).string()}, {"hash", result.hash}};
    made.finished = utc_now();
    write_record(aside / "run.json", made);
    for (const char* file : carried_files)
      if (fs::exists(from / file)) write_file(aside / file, read_file(from / file));
    write_files_record(aside);
    write_file(aside / "DONE", result.hash + '\n');
    move_path(aside, to);
  } catch (...) {
    remove_tree(aside);
    throw;
  }
  return result;
}

}  // namespace absorb
