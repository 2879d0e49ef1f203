// Holds folders, files and functions to sizes that a reader can keep in mind. What may be larger stands in a table
// here, with its reason. Like the layers, the rules are functions of a tree's root, and a planted violation is found.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;

constexpr size_t most_modules = 12;  // of a folder; a header and its source are one
constexpr size_t most_lines = 300;   // of a file
constexpr size_t most_of_function = 40;

// Folders that are lists: one file a command, one a measure, one a router.
const std::set<std::string> lists = {"studies/command", "compensation/measures", "router/routers"};

// Functions that may be longer. Kernels: a thread's registers live through one body, and cutting it would pass them
// all.
const std::set<std::string> long_functions = {
    "attention/cuda/attend_backward.cuh differentiate",
    "moe/cuda/activation.cu backward",
    "transformer/cuda/norm.cu forward",
    "transformer/cuda/head_gradients.cu consume",
    "moe/cuda/route.cu choose",
    // One launch: its arguments filled in, one by one, and what its backward pass keeps.
    "transformer/ops/norm_fused.cpp add_norm_by_kernel",
    "attention/attend_fused.cpp attend_by_kernel",
};

using Lines = std::vector<std::string>;

Lines lines_of(const fs::path& file) {
  std::ifstream in(file);
  Lines lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

// The word before the first parenthesis that isn't an attribute's.
std::string name_in(std::string signature) {
  for (const char* attribute : {"__launch_bounds__", "requires"})
    if (const size_t at = signature.find(attribute); at != std::string::npos)
      signature.erase(at, signature.find(')', at) + 1 - at);
  const size_t open = signature.find('(');
  if (open == std::string::npos) return "";
  size_t begin = open;
  while (begin > 0 && (std::isalnum(static_cast<unsigned char>(signature[begin - 1])) != 0 ||
                       signature[begin - 1] == '_' || signature[begin - 1] == ':'))
    --begin;
  return signature.substr(begin, open - begin);
}

struct Function {
  std::string name;
  size_t lines = 0;
};

// Definitions at the margin, as clang-format lays them out: they end with a line that is one brace.
std::vector<Function> functions(const Lines& lines) {
  std::vector<Function> all;
  for (size_t end = 0; end < lines.size(); ++end) {
    if (lines[end] != "}") continue;
    size_t start = end - 1;
    while (start > 0 && (lines[start].empty() || lines[start][0] == ' ' || lines[start][0] == '#' ||
                         lines[start].starts_with("//") || lines[start].starts_with("}")))
      --start;
    std::string signature;
    size_t open = start;
    for (; open < end; ++open) {
      signature += lines[open];
      if (lines[open].ends_with("{")) break;
    }
    all.push_back({name_in(signature), end - open + 1});
  }
  return all;
}

bool is_source(const fs::path& file) {
  return std::set<std::string>{".h", ".cpp", ".cu", ".cuh"}.contains(file.extension().string());
}

// One line for everything that is too large.
std::vector<std::string> too_large(const fs::path& root) {
  std::vector<std::string> out;
  std::map<std::string, std::set<std::string>> modules;
  for (const char* top : {"core", "statistics", "tensors", "router", "attention", "moe", "transformer", "training",
                          "compensation", "studies", "tests", "benchmarks"}) {
    if (!fs::exists(root / top)) continue;
    for (const auto& entry : fs::recursive_directory_iterator(root / top)) {
      if (!is_source(entry.path())) continue;
      const std::string file = fs::relative(entry.path(), root).string();
      if (!file.starts_with("tests/")) modules[fs::path(file).parent_path().string()].insert(entry.path().stem());
      const Lines lines = lines_of(entry.path());
      if (lines.size() > most_lines) out.push_back(file + ": " + std::to_string(lines.size()) + " lines");
      if (file.starts_with("tests/")) continue;  // a test is read from its first step to its last
      for (const Function& f : functions(lines))
        if (f.lines > most_of_function && !long_functions.contains(file + ' ' + f.name))
          out.push_back(file + ": " + f.name + " has " + std::to_string(f.lines) + " lines");
    }
  }
  for (const auto& [folder, names] : modules)
    if (names.size() > most_modules && !lists.contains(folder))
      out.push_back(folder + ": " + std::to_string(names.size()) + " modules in one folder");
  return out;
}

TEST(Sizes, TheRepositoryKeepsThem) {
  for (const std::string& line : too_large(ABSORB_SOURCE_DIR)) ADD_FAILURE() << line;
}

TEST(Sizes, EveryExceptionIsStillNeeded) {
  for (const std::string& entry : long_functions) {
    const size_t space = entry.find(' ');
    bool found = false;
    for (const Function& f : functions(lines_of(fs::path(ABSORB_SOURCE_DIR) / entry.substr(0, space))))
      found = found || (f.name == entry.substr(space + 1) && f.lines > most_of_function);
    EXPECT_TRUE(found) << entry << " is short by now";
  }
}

TEST(Sizes, WhatIsTooLargeIsFound) {
  const fs::path root = fs::path(testing::TempDir()) / "absorb_sizes";
  fs::remove_all(root);
  fs::create_directories(root / "core");
  std::ofstream(root / "core/long.h") << std::string(301, '\n');
  std::ofstream body(root / "core/function.cpp");
  body << "int first() {\n  return 1;\n}\n\nint far(\n    int a) {\n";
  for (int i = 0; i < 40; ++i) body << "  ++a;\n";
  body << "}\n";
  body.close();
  for (int i = 0; i < 11; ++i) std::ofstream(root / "core" / ("m" + std::to_string(i) + ".h")) << "\n";
  const std::vector<std::string> broken = too_large(root);
  ASSERT_EQ(broken.size(), 3U);
  const std::set<std::string> all(broken.begin(), broken.end());
  EXPECT_TRUE(all.contains("core/long.h: 301 lines"));
  EXPECT_TRUE(all.contains("core/function.cpp: far has 42 lines"));
  EXPECT_TRUE(all.contains("core: 13 modules in one folder"));
  fs::remove_all(root);
}

}  // namespace
