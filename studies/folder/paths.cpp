#include "studies/folder/paths.h"

#include <unistd.h>

#include "core/error.h"

namespace absorb {

bool is_done(const Path& run) {
  return std::filesystem::exists(run / "DONE");
}

bool has_ended(const Path& run) {
  return is_done(run) || std::filesystem::exists(run / "FAILED");
}

void require_done(const Path& run) {
  require(is_done(run), "{}: isn't finished: finish it with `absorb run` first", run.string());
}

void require_weights(const Path& run, const std::string& why) {
  require(!is_done(run) || std::filesystem::exists(run / "weights.safetensors"),
          "{}: {} needs its weights, and this folder came from a bundle without them: pack with --weights, or take the "
          "folder itself",
          run.string(), why);
}

std::string host_name() {
  char name[256] = {};
  return ::gethostname(name, sizeof(name) - 1) == 0 ? name : "unknown";
}

}  // namespace absorb
