#include "tests/docs/overlay.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/settings.h"

namespace absorb::docs {
namespace {

// Every added line of a diff block goes below the line before it.
std::string patched(const Path& file, const std::string& diff) {
  std::string text = '\n' + read_file(repository() / file), before;
  for (const std::string& line : lines(diff)) {
    const std::string body = line.substr(1) + '\n';
    if (line[0] == '+') {
      const std::size_t at = text.find('\n' + before);
      EXPECT_NE(at, std::string::npos) << file << " has no line " << before;
      if (at != std::string::npos) text.insert(at + 1 + before.size(), body);
    }
    before = body;
  }
  return text.substr(1);
}

// The compiler and its flags for this file, without what names input and output.
std::string compiler(const Path& include_first) {
  const Json commands = Json::parse(read_file(Path(ABSORB_BUILD_DIR) / "compile_commands.json"));
  for (const Json& entry : commands) {
    if (!entry.at("file").get<std::string>().ends_with("tests/docs/overlay.cpp")) continue;
    std::istringstream words(entry.at("command").get<std::string>());
    std::string out, word, skipped;
    words >> out;
    out += " -I" + include_first.string();
    while (words >> word) {
      if (word == "-o" || word == "-c")
        words >> skipped;
      else
        out += ' ' + word;
    }
    return out;
  }
  ADD_FAILURE() << "compile_commands.json doesn't hold this file";
  return "";
}

// The libraries that this process itself runs on, to link against, and where they are found at run time.
std::string libraries() {
  std::ifstream maps("/proc/self/maps");
  std::set<std::string> found;
  for (std::string line; std::getline(maps, line);) {
    const std::size_t slash = line.find('/');
    if (slash == std::string::npos) continue;
    const Path file = line.substr(slash);
    for (const char* name : {"libabsorb.so", "libtorch_cpu.so", "libc10.so", "libfmt.so", "libgomp"})
      if (file.filename().string().starts_with(name)) found.insert(file.string());
  }
  EXPECT_GE(found.size(), 4U);
  std::string out = " -lgtest -lgtest_main -lpthread -Wl,--disable-new-dtags -Wl,--allow-shlib-undefined";
  for (const std::string& file : found) out += ' ' + file + " -Wl,-rpath," + Path(file).parent_path().string();
  return out;
}

}  // namespace

std::set<std::string> overlay(const Path& page, const Folder& folder) {
  std::set<std::string> names;
  for (const Block& block : blocks(page)) {
    if (block.name.empty()) continue;
    names.insert(block.name);
    folder.write(block.name, block.language == "diff" ? patched(block.name, block.text) : block.text);
  }
  return names;
}

void expect_tests_pass(const Folder& folder, const std::string& whole, int tests) {
  folder.write("whole.cpp", whole);
  const std::string program = (folder.path() / "program").string();
  const Outcome built =
      shell(compiler(folder.path()) + ' ' + (folder.path() / "whole.cpp").string() + " -o " + program + libraries());
  ASSERT_EQ(built.status, 0) << built.output;
  const Outcome ran = shell("ASAN_OPTIONS=detect_leaks=0:detect_odr_violation=0 " + program);
  EXPECT_EQ(ran.status, 0) << ran.output;
  EXPECT_NE(ran.output.find("[  PASSED  ] " + std::to_string(tests) + " tests"), std::string::npos) << ran.output;
}

}  // namespace absorb::docs
