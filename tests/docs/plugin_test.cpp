// What stands outside the tree is built as a stranger would build it: against an installed library, with nothing but
// find_package(absorb). examples/plugin, and the blocks of docs/new-router.md and docs/extending.md as plug-ins; then
// `absorb conform` on their types, and studies that use them.
#include <gtest/gtest.h>

#include "tests/docs/overlay.h"

namespace absorb {
namespace {

class StudyPluginInstalled : public testing::Test {
 protected:
  void expect_done(const std::string& command, const std::string& words = "") const {
    const docs::Outcome outcome = docs::shell(command);
    EXPECT_EQ(outcome.status, 0) << command << '\n' << outcome.output;
    EXPECT_NE(outcome.output.find(words), std::string::npos) << words << '\n' << outcome.output;
  }
  std::string at(const std::string& name) const { return docs::quoted((folder.path() / name).string()); }
  std::string absorb() const { return at("installed/bin/absorb"); }
  /// One compilation a project: LibTorch's headers are most of its time.
  std::string build(const std::string& source) const {
    return "cmake -G Ninja -S " + at(source) + " -B " + at(source + "/build") +
           " -DCMAKE_UNITY_BUILD=ON -DCMAKE_CXX_FLAGS=-O1 -Dabsorb_DIR=" + at("installed/lib/cmake/absorb") +
           " && cmake --build " + at(source + "/build");
  }

  docs::Folder folder;
};

TEST_F(StudyPluginInstalled, ExampleAndPagesBuildConformAndTrain) {
  expect_done("cmake --install " + docs::quoted(ABSORB_BUILD_DIR) + " --prefix " + at("installed"));
  std::filesystem::copy(docs::repository() / "examples/plugin", folder.path() / "example");
  const docs::Folder router, types;
  docs::overlay(docs::repository() / "docs/new-router.md", router);
  docs::overlay(docs::repository() / "docs/extending.md", types);
  std::filesystem::rename(router.path(), folder.path() / "router");
  std::filesystem::rename(types.path(), folder.path() / "types");
  expect_done(build("example") + " && " + build("router") + " && " + build("types"));

  expect_done(
      absorb() + " conform --device cpu --plugin " + at("example/build/my_routing.so") + " additive above_mean entropy",
      "\n3 types, ");
  expect_done(absorb() + " conform --device cpu --plugin " + at("router/build/gaussian.so") + " --plugin " +
                  at("types/build/my_types.so") + " gaussian near_best centred",
              "\n3 types, ");
  expect_done(absorb() + " run " + at("example/study.toml") + " --device cpu --jobs 1 --set study.seeds=[1] --runs " +
                  at("runs"),
              "routing gap");

  folder.write("types/study.toml", R"([study]
name = "types"
targets = ["attention"]
match = "none"
seeds = [1]
plugins = ["build/my_types.so"]
[data]
type = "copy"
sequences = 16
[model]
layers = 1
width = 16
heads = 2
context = 16
[training]
steps = 5
batch = 4
warmup = 1
[routing]
router = { type = "bilinear", rank = 4 }
selection = { type = "near_best" }
losses = { centred = 0.01 }
[[arm]]
name = "learned"
)");
  expect_done(absorb() + " run " + at("types/study.toml") + " --device cpu --jobs 1 --runs " + at("runs"));
  EXPECT_NE(read_file(folder.path() / "runs/types/report.html").find("the synthetic task"), std::string::npos);
  expect_done(absorb() + " compensate " + at("runs/types") + " --device cpu --jobs 1 --measures size");
  EXPECT_NE(read_file(folder.path() / "runs/types/compensation.csv").find("size"), std::string::npos);
}

}  // namespace
}  // namespace absorb
