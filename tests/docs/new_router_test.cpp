// docs/new-router.md promises that a router is one header, one source and one line. This takes its blocks, lays them
// over the repository, compiles them with the flags that this very file was compiled with, and runs the test that it
// shows.
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "core/settings.h"
#include "tests/docs/page.h"

namespace absorb {
namespace {

// Every added line of a diff block goes below the line before it.
std::string patched(std::string text, const std::string& diff) {
  std::string before;
  for (const std::string& line : docs::lines(diff)) {
    const std::string body = line.substr(1) + '\n';
    if (line[0] == '+') {
      const std::size_t at = text.find('\n' + before);
      EXPECT_NE(at, std::string::npos) << "router/builtin.cpp has no line " << before;
      if (at != std::string::npos) text.insert(at + 1 + before.size(), body);
    }
    before = body;
  }
  return text;
}

// The compiler and its flags for this file, without what names input and output.
std::string compiler(const Path& include_first) {
  const Json commands = Json::parse(read_file(Path(ABSORB_BUILD_DIR) / "compile_commands.json"));
  for (const Json& entry : commands) {
    if (!entry.at("file").get<std::string>().ends_with("tests/docs/new_router_test.cpp")) continue;
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

TEST(DocsNewRouter, PageBuildsAndItsTestPasses) {
  const docs::Folder folder;
  std::set<std::string> names;
  for (const docs::Block& block : docs::blocks(docs::repository() / "docs/new-router.md")) {
    if (block.name.empty()) continue;
    names.insert(block.name);
    const bool diff = block.language == "diff";
    folder.write(block.name, diff ? patched(read_file(docs::repository() / block.name), block.text) : block.text);
  }
  ASSERT_EQ(names, std::set<std::string>({"router/builtin.cpp", "router/routers/gaussian.h",
                                          "router/routers/gaussian.cpp", "tests/router/gaussian_test.cpp"}));
  // One translation unit: LibTorch's headers are read once. Its registries() stands before that of the library.
  folder.write("whole.cpp",
               "#include \"router/routers/gaussian.cpp\"\n#include \"router/builtin.cpp\"\n"
               "#include \"tests/router/gaussian_test.cpp\"\n");
  const std::string program = (folder.path() / "program").string();
  const docs::Outcome built = docs::shell(compiler(folder.path()) + ' ' + (folder.path() / "whole.cpp").string() +
                                          " -o " + program + libraries());
  ASSERT_EQ(built.status, 0) << built.output;
  const docs::Outcome ran = docs::shell("ASAN_OPTIONS=detect_leaks=0:detect_odr_violation=0 " + program);
  EXPECT_EQ(ran.status, 0) << ran.output;
  EXPECT_NE(ran.output.find("[  PASSED  ] 5 tests"), std::string::npos) << ran.output;
}

}  // namespace
}  // namespace absorb
