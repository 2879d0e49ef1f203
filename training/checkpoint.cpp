#include "training/checkpoint.h"

#include <torch/types.h>

#include <unistd.h>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/text/json.h"

namespace absorb {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

std::vector<Path> checkpoints(const Path& run) {
  std::vector<Path> found;
  if (fs::exists(run / "checkpoints"))
    for (const auto& entry : fs::directory_iterator(run / "checkpoints"))
      if (entry.path().filename().string().starts_with("step-")) found.push_back(entry.path());
  std::sort(found.begin(), found.end());
  return found;
}

// What a run has written so far, and no checkpoint holds: metrics and the weights that it keeps. A checkpoint knows
// their checksums, since a run that goes on would else end with what was damaged meanwhile.
Json beside(const Path& run) {
  Json all = Json::object();
  for (const auto& entry : fs::directory_iterator(run)) {
    const std::string name = entry.path().filename();
    if (name != "metrics.jsonl" && !(name.starts_with("weights-") && name.ends_with(".safetensors"))) continue;
    const MappedFile file(entry.path());
    all[name] = {{"bytes", file.bytes().size()}, {"hash", hash_hex(file.text())}};
  }
  return all;
}

// Metrics may have grown since.
void require_beside(const Path& run, const Json& stated) {
  if (!stated.is_object()) return;  // of a checkpoint of before
  for (const auto& [name, file] : stated.items()) {
    const auto bytes = static_cast<uint64_t>(whole_number(file.at("bytes")));
    const MappedFile now(run / name);
    require(now.bytes().size() >= bytes && hash_hex(now.text().substr(0, bytes)) == file.value("hash", ""),
            "{}: was changed or damaged since the checkpoint was written", (run / name).string());
  }
}

Checkpoint read_one(const Path& folder) {
  const Path file = folder / "checkpoint.json";
  Json about = parse_json(read_file(file));
  require(about.is_object() && unseal(about), "{}: is damaged", file.string());
  const Json step = about.value("step", Json());
  require(step.is_number_integer() && step.get<int64_t>() > 0, "{}: holds no `step`", file.string());
  const Json hashes = about.value("hashes", Json());
  for (const char* name : {"model.safetensors", "optimiser.safetensors"}) {
    const Json hash = hashes.is_object() ? hashes.value(name, Json()) : Json();
    require(hash.is_string(), "{}: holds no checksum of {}", file.string(), name);
    const MappedFile content(folder / name);
    require(hash_hex(content.text()) == hash.get<std::string>(), "{}: its checksum is wrong: truncated or damaged",
            (folder / name).string());
  }
  read_guarded(file.string(),
               [&] { require_beside(folder.parent_path().parent_path(), about.value("beside", Json())); });
  return {step.get<int64_t>(), read_safetensors(folder / "model.safetensors"),
          read_safetensors(folder / "optimiser.safetensors")};
}

}  // namespace

NamedTensors named_tensors(const Parameters& parameters) {
  NamedTensors out;
  for (const Stored& stored : parameters.stored())
    for (std::size_t i = 0; i < stored.slices.size(); ++i)
      out.emplace_back(stored.slices[i].name, slice_view(stored, i));
  for (const auto& [name, tensor] : parameters.states()) out.emplace_back(name, tensor);
  return out;
}

void load_tensors(const Parameters& parameters, const std::map<std::string, Tensor>& tensors, const Path& source) {
  at::NoGradGuard no_grad;
  for (auto& [name, tensor] : named_tensors(parameters)) {
    const auto found = tensors.find(name);
    require(found != tensors.end(), "{}: holds no tensor {}", source.string(), name);
    require(found->second.sizes() == tensor.sizes(), "{}: {} has another shape than this model's", source.string(),
            name);
    Tensor target = tensor;
    target.copy_(found->second);
  }
}

void write_checkpoint(const Path& run, int64_t step, const NamedTensors& model, const NamedTensors& optimiser) {
  const Path folder = run / "checkpoints" / fmt::format("step-{:08}", step);
  const Path aside = run / "checkpoints" / fmt::format("writing-{}.tmp", ::getpid());
  remove_tree(aside);
  make_folder(aside);
  Json hashes;
  hashes["model.safetensors"] = write_safetensors(aside / "model.safetensors", model);
  hashes["optimiser.safetensors"] = write_safetensors(aside / "optimiser.safetensors", optimiser);
  write_file(aside / "checkpoint.json", sealed(Json{{"step", step}, {"hashes", hashes}, {"beside", beside(run)}}, 2));
  remove_tree(folder);
  move_path(aside, folder);
  const auto all = checkpoints(run);
  for (std::size_t i = 0; i + 2 < all.size(); ++i) remove_tree(all[i]);
  for (const auto& entry : fs::directory_iterator(run / "checkpoints"))
    if (entry.path().extension() == ".tmp") remove_tree(entry.path());
}

Checkpoint read_checkpoint(const Path& run, const std::function<void(const std::string&)>& complain, int64_t newest) {
  auto all = checkpoints(run);
  for (auto folder = all.rbegin(); folder != all.rend(); ++folder) try {
      Checkpoint found = read_one(*folder);
      require(found.step <= newest, "{}: is of step {}, and the run's metrics are whole up to step {}",
              folder->string(), found.step, newest);
      return found;
    } catch (const UserError& error) {
      complain(fmt::format("{}; using the checkpoint before it", error.what()));
    }
  return {};
}

void remove_checkpoints(const Path& run) {
  remove_tree(run / "checkpoints");
}

}  // namespace absorb
