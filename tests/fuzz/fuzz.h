// What every fuzz target shares: a folder in memory for files that are read by name, and what counts as a finding.
// A UserError is the right answer to a bad input; anything else that leaves a reader is a finding.
#pragma once

#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <span>
#include <string>
#include <string_view>

#include "core/error.h"
#include "core/files.h"

namespace absorb::fuzz {

/// A folder of this process's own, in memory where the machine has such a place.
inline const Path& folder() {
  static const Path made = [] {
    const Path base = std::filesystem::exists("/dev/shm") ? "/dev/shm" : std::filesystem::temp_directory_path();
    Path path = base / ("absorb-fuzz-" + std::to_string(::getpid()));
    std::filesystem::create_directories(path);
    std::atexit([] { std::filesystem::remove_all(folder()); });
    return path;
  }();
  return made;
}

/// Writes a file there, neither flushed nor renamed.
inline Path written(const std::string& name, std::string_view bytes) {
  const Path path = folder() / name;
  std::ofstream(path, std::ios::binary) << bytes;
  return path;
}

inline std::string_view text_of(const uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

/// Cuts off what stands before the next line of "---": several files in one input.
inline std::string_view next_part(std::string_view& input) {
  constexpr std::string_view cut = "\n---\n";
  const std::size_t at = input.find(cut);
  const std::string_view part = input.substr(0, at);
  input = at == std::string_view::npos ? std::string_view() : input.substr(at + cut.size());
  return part;
}

/// Runs a reader. Its message must be one line.
template <class Read>
void expect_answer(const Read& read) {
  try {
    read();
  } catch (const UserError& error) {
    const std::string_view what = error.what();
    if (what.empty() || what.find('\n') != std::string_view::npos) std::abort();
  }
}

}  // namespace absorb::fuzz
