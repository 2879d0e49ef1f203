// The Python that scripts/setup --tools makes, for tests that hold absorb against other programs.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

namespace absorb::testing {

/// ABSORB_PYTHON, or the repository's own, or what the machine has.
inline std::string python() {
  if (const char* chosen = std::getenv("ABSORB_PYTHON")) return chosen;
  const std::filesystem::path own = std::filesystem::path(ABSORB_SOURCE_DIR) / ".deps/python/bin/python";
  return std::filesystem::exists(own) ? own.string() : "python3";
}

/// A line for the shell that runs `arguments` in it, with the libraries that its PyTorch, LibTorch's own, needs.
inline std::string python_line(const std::string& arguments) {
  return "LD_LIBRARY_PATH=" ABSORB_LIBTORCH_LIBRARIES ":$LD_LIBRARY_PATH CUDA_VISIBLE_DEVICES= " + python() + ' ' +
         arguments;
}

/// Whether `modules` ("torch, transformers") can be imported.
inline bool python_has(const std::string& modules) {
  return std::system(python_line("-c 'import " + modules + "' >/dev/null 2>&1").c_str()) == 0;
}

}  // namespace absorb::testing
