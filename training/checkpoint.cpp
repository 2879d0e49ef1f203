#include "training/checkpoint.h"

#include <torch/types.h>

#include <unistd.h>

#include <nlohmann/json.hpp>

#include "core/error.h"

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

Checkpoint read_one(const Path& folder) {
  const Path file = folder / "checkpoint.json";
  const Json about = Json::parse(read_file(file), nullptr, false);
  require(about.is_object(), "{}: is no JSON object", file.string());
  require(about.contains("step") && about["step"].is_number_integer(), "{}: holds no `step`", file.string());
  const Json hashes = about.value("hashes", Json());
  for (const char* name : {"model.safetensors", "optimiser.safetensors"}) {
    const Json hash = hashes.is_object() ? hashes.value(name, Json()) : Json();
    require(hash.is_string(), "{}: holds no checksum of {}", file.string(), name);
    const MappedFile content(folder / name);
    require(hash_hex(content.text()) == hash.get<std::string>(), "{}: its checksum is wrong: truncated or damaged",
            (folder / name).string());
  }
  return {about["step"], read_safetensors(folder / "model.safetensors"),
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
  fs::remove_all(aside);
  fs::create_directories(aside);
  Json hashes;
  hashes["model.safetensors"] = write_safetensors(aside / "model.safetensors", model);
  hashes["optimiser.safetensors"] = write_safetensors(aside / "optimiser.safetensors", optimiser);
  write_file(aside / "checkpoint.json", Json{{"step", step}, {"hashes", hashes}}.dump(2));
  fs::remove_all(folder);
  fs::rename(aside, folder);
  const auto all = checkpoints(run);
  for (std::size_t i = 0; i + 2 < all.size(); ++i) fs::remove_all(all[i]);
  for (const auto& entry : fs::directory_iterator(run / "checkpoints"))
    if (entry.path().extension() == ".tmp") fs::remove_all(entry.path());
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
  fs::remove_all(run / "checkpoints");
}

}  // namespace absorb
