// Holds the #include lines of every folder against cmake/layers.txt. The rules are functions of a tree's root, so that
// the same rules that pass over the repository are shown to fail over a planted violation.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;
using Layers = std::map<std::string, std::set<std::string>>;

struct Include {
  std::string file;    // relative to the root
  std::string target;  // what stands between the quotes or brackets
};

// folder -> the folders it may include. Throws when a folder names one that doesn't stand above it.
Layers read_layers(const fs::path& root) {
  std::ifstream in(root / "cmake/layers.txt");
  Layers layers;
  for (std::string line; std::getline(in, line);) {
    const size_t colon = line.find(':');
    if (line.starts_with("#") || colon == std::string::npos) continue;
    std::istringstream words(line.substr(colon + 1));
    std::set<std::string> may;
    for (std::string word; words >> word; may.insert(word)) {
      if (!layers.contains(word)) throw std::runtime_error(line + ": " + word + " does not stand above");
    }
    layers[line.substr(0, colon)] = may;
  }
  return layers;
}

// The room that a path from the root lies in: the deepest whose folder it is below; empty where none is.
std::string room_of(const Layers& layers, const std::string& path) {
  std::string room;
  for (const auto& [folder, may] : layers)
    if (path.starts_with(folder + "/") && folder.size() > room.size()) room = folder;
  return room;
}

std::vector<Include> includes(const fs::path& root, const std::string& folder) {
  static const std::regex directive(R"re(^\s*#\s*include\s*["<]([^">]+)[">])re");
  std::vector<Include> all;
  for (const auto& entry : fs::recursive_directory_iterator(root / folder)) {
    const std::string extension = entry.path().extension();
    if (!std::set<std::string>{".h", ".cpp", ".cu", ".cuh"}.contains(extension)) continue;
    std::ifstream in(entry.path());
    std::smatch match;
    for (std::string line; std::getline(in, line);) {
      if (std::regex_search(line, match, directive)) all.push_back({fs::relative(entry.path(), root), match[1]});
    }
  }
  return all;
}

bool is_device_code(const std::string& file) {
  return file.ends_with(".cu") || file.ends_with(".cuh");
}

bool is_torch(const std::string& target) {
  return std::ranges::any_of(std::vector<std::string>{"torch/", "ATen/", "c10/", "caffe2/"},
                             [&](const std::string& start) { return target.starts_with(start); });
}

bool may_see_boost_graph(const std::string& file) {
  return std::set<std::string>{"compensation/graph/graph.cpp", "compensation/graph/graph_algorithms.cpp",
                               "compensation/graph/strongest_paths.cpp", "compensation/graph/boost_network.h"}
      .contains(file);
}

// One line for every broken rule.
std::vector<std::string> violations(const fs::path& root) {
  std::vector<std::string> broken;
  const Layers layers = read_layers(root);
  for (const auto& [folder, may] : layers) {
    if (!fs::is_directory(root / folder)) continue;
    for (const auto& [file, target] : includes(root, folder)) {
      if (room_of(layers, file) != folder) continue;  // of a deeper room, which has its own line
      const std::string other = room_of(layers, target), top = target.substr(0, target.find('/'));
      const std::string what = file + " includes " + target;
      if (!other.empty() && other != folder && !may.contains(other))
        broken.push_back(what + ", but " + folder + "/ may not use " + other + "/");
      if (top == "tests" || top == "benchmarks" || target.starts_with("."))
        broken.push_back(what + ": not a path from the root to a folder of the library");
      if (target.starts_with("boost/graph/") && !may_see_boost_graph(file))
        broken.push_back(
            what +
            ": Boost.Graph belongs into the sources of compensation/graph/ alone (9 s for each file that sees "
            "it)");
      if (is_device_code(file) && is_torch(target))
        broken.push_back(what + ": no torch header in device code (half a minute each)");
    }
  }
  for (const char* top : {"compensation", "studies"})
    for (const auto& [file, target] : includes(root, top))
      if (room_of(layers, file).empty()) broken.push_back(file + " lies in no room of cmake/layers.txt");
  for (const char* name :
       {"CMakeLists.txt", "router", "attention", "moe", "compensation", "studies", "configs", "tests"}) {
    if (!fs::exists(root / name)) broken.push_back(std::string(name) + " is missing at the top");
  }
  return broken;
}

void write(const fs::path& file, const std::string& text) {
  fs::create_directories(file.parent_path());
  std::ofstream(file) << text;
}

// A small tree that keeps every rule, in a folder of its own.
class LayersPlanted : public testing::Test {
 protected:
  void SetUp() override {
    fs::remove_all(root);
    fs::create_directories(root / "cmake");
    fs::copy_file(fs::path(ABSORB_SOURCE_DIR) / "cmake/layers.txt", root / "cmake/layers.txt");
    write(root / "CMakeLists.txt", "");
    for (const char* folder : {"router", "attention", "moe", "compensation", "studies", "configs", "tests"})
      fs::create_directories(root / folder);
    write(root / "compensation/graph/graph.cpp", "#include <boost/graph/adjacency_list.hpp>\n");
    write(root / "compensation/graph/graph_algorithms.cpp", "#include <boost/graph/dominator_tree.hpp>\n");
    write(root / "attention/attend.cpp", "#include <ATen/core/Tensor.h>\n#include \"router/routing.h\"\n");
  }
  void TearDown() override { fs::remove_all(root); }

  void expect_one(const std::string& part) const {
    const auto broken = violations(root);
    ASSERT_EQ(broken.size(), 1U);
    EXPECT_NE(broken[0].find(part), std::string::npos) << broken[0];
  }

  fs::path root = fs::path(testing::TempDir()) /
                  (std::string("absorb_layers_") + testing::UnitTest::GetInstance()->current_test_info()->name());
};

TEST(Layers, TheRepositoryKeepsThem) {
  const fs::path root = ABSORB_SOURCE_DIR;
  ASSERT_GE(read_layers(root).size(), 20U);
  ASSERT_GE(includes(root, "core").size(), 10U) << "the test no longer sees the include lines";
  for (const std::string& line : violations(root)) ADD_FAILURE() << line;
}

// The room itself and all that it may reach through others.
std::set<std::string> reach(const Layers& layers, const std::string& room) {
  std::set<std::string> all = {room};
  for (const std::string& used : layers.at(room)) all.merge(reach(layers, used));
  return all;
}

TEST(Layers, WhatReadsFoldersReachesNoModel) {
  const Layers layers = read_layers(ABSORB_SOURCE_DIR);
  for (const char* room : {"studies/folder", "studies/bundle", "studies/analysis", "studies/report"})
    for (const char* model : {"router", "attention", "moe", "transformer", "studies/plan", "studies/run"})
      EXPECT_FALSE(reach(layers, room).contains(model)) << room << " reaches " << model;
  EXPECT_TRUE(reach(layers, "studies/run").contains("transformer"));
}

TEST_F(LayersPlanted, ATreeThatKeepsThemPasses) {
  EXPECT_TRUE(violations(root).empty());
}

TEST_F(LayersPlanted, SidewaysIsFound) {
  write(root / "attention/attend.h", "#include \"moe/moe.h\"\n");
  expect_one("attention/ may not use moe/");
}

TEST_F(LayersPlanted, UpwardsIsFoundInDeepFoldersAndOddSpelling) {
  write(root / "router/routers/deep.cuh", "  #  include \"studies/study/study.h\"\n");
  expect_one("router/ may not use studies/");
}

TEST_F(LayersPlanted, AReportThatReadsTheModelIsFound) {
  write(root / "studies/report/page/page.cpp", "#include \"studies/run/live_run.h\"\n");
  expect_one("studies/report/ may not use studies/run/");
}

TEST_F(LayersPlanted, AFileOutsideEveryRoomIsFound) {
  write(root / "studies/record.cpp", "#include \"core/error.h\"\n");
  expect_one("lies in no room");
}

TEST_F(LayersPlanted, BoostGraphElsewhereIsFound) {
  write(root / "compensation/graph/export.cpp", "#include <boost/graph/graphml.hpp>\n");
  expect_one("compensation/graph/ alone");
}

TEST_F(LayersPlanted, BoostGraphInAHeaderIsFound) {
  write(root / "compensation/graph/graph_algorithms.h", "#include <boost/graph/adjacency_list.hpp>\n");
  expect_one("compensation/graph/ alone");
}

TEST_F(LayersPlanted, TorchInDeviceCodeIsFound) {
  write(root / "moe/cuda/dispatch.cu", "#include <c10/cuda/CUDAStream.h>\n");
  expect_one("no torch header");
}

TEST_F(LayersPlanted, AnIncludeOfTestsIsFound) {
  write(root / "router/route.cpp", "#include \"tests/router/fixture.h\"\n");
  expect_one("not a path from the root");
}

TEST_F(LayersPlanted, AMissingNameIsFound) {
  fs::remove_all(root / "moe");
  expect_one("moe is missing");
}

TEST_F(LayersPlanted, AFolderThatNamesOneBelowIsFound) {
  write(root / "cmake/layers.txt", "core: router\nrouter: core\n");
  EXPECT_THROW(read_layers(root), std::runtime_error);
}

}  // namespace
