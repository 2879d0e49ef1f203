#include "studies/folder/paths.h"

#include "core/error.h"

namespace absorb {

bool has_ended(const Path& run) {
  return std::filesystem::exists(run / "DONE") || std::filesystem::exists(run / "FAILED");
}

void require_weights(const Path& run, const std::string& why) {
  require(!std::filesystem::exists(run / "DONE") || std::filesystem::exists(run / "weights.safetensors"),
          "{}: {} needs its weights, and this folder came from a bundle without them: pack with --weights, or take the "
          "folder itself",
          run.string(), why);
}

}  // namespace absorb
