// Documentation as a test sees it: a page's text, its fenced blocks, and a folder to try them in.
#pragma once

#include <string>
#include <vector>

#include "core/files.h"

namespace absorb::docs {

/// A fenced block: ```language name.
struct Block {
  std::string language, name, text;
};

Path repository();
/// README.md, CONTRIBUTING.md and docs/*.md.
std::vector<Path> pages();
std::vector<Block> blocks(const Path& page);
std::vector<std::string> lines(const std::string& text);

/// A folder of this test alone, gone with it.
class Folder {
 public:
  Folder();
  ~Folder();
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  const Path& path() const { return path_; }
  /// Writes below the folder, with the folders it takes.
  void write(const Path& name, const std::string& text) const;

 private:
  Path path_;
};

struct Outcome {
  int status = -1;
  std::string output;  // stdout and stderr together
};
/// Runs a line of shell.
Outcome shell(const std::string& command);
/// As one word of a shell line.
std::string quoted(const std::string& word);

}  // namespace absorb::docs
