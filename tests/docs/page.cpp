#include "tests/docs/page.h"

#include <stdlib.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <sstream>

#include "core/error.h"

namespace absorb::docs {

Path repository() {
  return ABSORB_SOURCE_DIR;
}

std::vector<Path> pages() {
  std::vector<Path> found = {repository() / "README.md", repository() / "CONTRIBUTING.md"};
  for (const auto& entry : std::filesystem::directory_iterator(repository() / "docs"))
    if (entry.path().extension() == ".md") found.push_back(entry.path());
  std::sort(found.begin(), found.end());
  return found;
}

std::vector<std::string> lines(const std::string& text) {
  std::vector<std::string> out;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) out.push_back(line);
  return out;
}

std::vector<Block> blocks(const Path& page) {
  std::vector<Block> out;
  bool inside = false;
  for (const std::string& line : lines(read_file(page))) {
    if (!line.starts_with("```")) {
      if (inside) out.back().text += line + '\n';
      continue;
    }
    inside = !inside;
    if (!inside) continue;
    std::istringstream info(line.substr(3));
    Block block;
    info >> block.language >> block.name;
    out.push_back(block);
  }
  check(!inside, "{}: a fenced block isn't closed", page.string());
  return out;
}

Folder::Folder() {
  std::string name = (std::filesystem::temp_directory_path() / "absorb-docs-XXXXXX").string();
  check(::mkdtemp(name.data()) != nullptr, "no temporary folder");
  path_ = name;
}

Folder::~Folder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

void Folder::write(const Path& name, const std::string& text) const {
  std::filesystem::create_directories((path_ / name).parent_path());
  write_file(path_ / name, text);
}

Outcome shell(const std::string& command) {
  Outcome outcome;
  FILE* pipe = ::popen(("{ " + command + "; } 2>&1").c_str(), "r");
  check(pipe != nullptr, "no shell");
  std::array<char, 4096> buffer;
  while (const std::size_t size = std::fread(buffer.data(), 1, buffer.size(), pipe))
    outcome.output.append(buffer.data(), size);
  const int status = ::pclose(pipe);
  outcome.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return outcome;
}

std::string quoted(const std::string& word) {
  std::string out = "'";
  for (const char c : word) out += c == '\'' ? "'\\''" : std::string(1, c);
  return out + "'";
}

}  // namespace absorb::docs
