#include "studies/run/provenance.h"

#include <torch/version.h>

#include <unistd.h>

#include <fstream>

#include "absorb_version.h"
#include "core/device.h"
#include "core/error.h"
#include "core/text/clock.h"
#include "studies/folder/paths.h"
#include "studies/plugin/load.h"

namespace absorb {
namespace {

std::string driver_version() {
  std::ifstream file("/proc/driver/nvidia/version");
  std::string line;
  return std::getline(file, line) ? line : "";
}

// The library holds the code, the command only calls it: both are hashed. They lie side by side where they were built,
// in bin/ and lib/ once they are installed.
std::string binary_hash() {
  const Path command = std::filesystem::read_symlink("/proc/self/exe"), folder = command.parent_path();
  std::string both = hash_hex(MappedFile(command).text());
  for (const Path& library : {folder / "libabsorb.so", folder.parent_path() / "lib/libabsorb.so"})
    if (std::filesystem::exists(library)) return hash_hex(both + hash_hex(MappedFile(library).text()));
  return both;
}

}  // namespace

std::string version_line() {
  return fmt::format("absorb {} ({}{}), LibTorch {}", ABSORB_VERSION, ABSORB_COMMIT, ABSORB_DIRTY ? ", modified" : "",
                     TORCH_VERSION);
}

void require_same_data(const Path& run, const Dataset& data) {
  const Path file = run / "run.json";
  if (!std::filesystem::exists(file)) return;
  const auto before = read_record<ProvenanceRecord>(file).data;
  const auto hash = before.find("hash"), words = before.find("describe");
  if (hash == before.end() || hash->second == data.hash()) return;
  user_error(
      "{}: was trained on other data: {} (hash {}), and now its settings name {} (hash {}); put the data back, or "
      "give the study another name",
      run.string(), words == before.end() ? "" : words->second, hash->second, data.describe(), data.hash());
}

ProvenanceRecord provenance(const std::vector<std::string>& argv, const std::string& device, int64_t threads) {
  static const std::string hash = binary_hash();
  ProvenanceRecord run;
  run.argv = argv;
  run.version = ABSORB_VERSION;
  run.commit = ABSORB_COMMIT;
  run.dirty = static_cast<bool>(ABSORB_DIRTY);
  run.binary_hash = hash;
  run.libtorch = TORCH_VERSION;
  run.driver = driver_version();
  run.device = device;
  run.cpu = device_name(at::kCPU);
  run.threads = threads;
  run.host = host_name();
  run.started = utc_now();
  for (const LoadedPlugin& plugin : loaded_plugins()) run.plugins[plugin.file.filename().string()] = plugin.hash;
  return run;
}

}  // namespace absorb
