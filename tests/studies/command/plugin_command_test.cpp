// Plug-ins as their user meets them: examples/plugin, built beside the tests, loaded, trained with, and refused.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "tests/studies/command/command_fixture.h"

namespace absorb {
namespace {

using Json = nlohmann::json;

class StudyPlugin : public testing::CommandTest {
 protected:
  StudyPlugin() { std::filesystem::copy_file(Path(ABSORB_BUILD_DIR) / "test_plugin.so", plugin()); }

  Path plugin(const std::string& name = "mine.so") const { return folder / name; }

  /// The plug-in with other bytes, as another build of it would have.
  Path rebuilt(const std::string& name, const std::string& more = "x") const {
    write_file(plugin(name), read_file(plugin()) + more);
    return plugin(name);
  }

  /// A study whose arms are routed by the plug-in's router, selection and loss; `plugins` as the file has it.
  Path routed(const std::string& plugins) const {
    const Path file = study("", "seeds = [1, 2]" + (plugins.empty() ? "" : "\nplugins = [\"" + plugins + "\"]"), 8);
    std::string text = read_file(file);
    const auto at = text.find("router = "), end = text.find("[[arm]]");
    text.replace(at, end - at,
                 "router = { type = \"additive\" }\nselection = { type = \"above_mean\" }\n"
                 "losses = { entropy = 0.01 }\n");
    write_file(file, text);
    return file;
  }

  Json json(const Path& file) const { return Json::parse(read_file(folder / "runs/s" / file)); }

  void refused(const std::vector<std::string>& arguments, const std::string& words) const {
    const auto result = run(arguments);
    EXPECT_EQ(result.status, 2) << result.out << result.err;
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
    EXPECT_NE(result.err.find(words), std::string::npos) << "expected: " << words << "\ngot: " << result.err;
    EXPECT_TRUE(result.out.empty()) << result.out;
  }
};

TEST_F(StudyPlugin, ItsTypesConformAndAreListed) {
  const std::string file = plugin().string();
  const auto result = run({"conform", "--plugin", file, "--device", "cpu", "additive", "above_mean", "entropy"});
  EXPECT_EQ(result.status, 0) << result.out << result.err;
  EXPECT_NE(result.out.find("\n3 types, "), std::string::npos) << result.out;
  EXPECT_NE(run({"list", "routers", "--plugin", file}).out.find("additive"), std::string::npos);
  EXPECT_EQ(run({"list", "routers"}).out.find("additive"), std::string::npos);
}

TEST_F(StudyPlugin, AStudyTrainsWithItInWorkersAndItsFolderKeepsIt) {
  auto arguments = run_arguments(routed("./mine.so"));
  arguments.back() = "2";  // --jobs: worker processes load it as well
  const auto trained = run(arguments);
  ASSERT_EQ(trained.status, 0) << trained.out << trained.err;
  const std::string hash = hash_hex(read_file(plugin()));
  EXPECT_EQ(json("learned.attention/seed-1/run.json")["plugins"]["mine.so"], hash);
  const Json used = json("learned.attention/seed-2/settings.json")["plugins"];
  EXPECT_EQ(used, Json({{"router additive", hash}, {"selection above_mean", hash}, {"routing loss entropy", hash}}));
  EXPECT_FALSE(json("dense/seed-1/settings.json").contains("plugins"));  // no type of it is used there
  // The folder works alone: the original is gone, the folder was moved.
  std::filesystem::remove(plugin());
  std::filesystem::rename(folder / "runs", folder / "moved");
  const std::string moved = (folder / "moved/s").string();
  EXPECT_NE(read_file(folder / "moved/s/study.toml").find("plugins/mine-" + hash.substr(0, 12) + ".so"),
            std::string::npos);
  const auto measured = run({"compensate", moved, "--measures", "knock_out", "--jobs", "2", "--device", "cpu"});
  EXPECT_EQ(measured.status, 0) << measured.out << measured.err;
}

TEST_F(StudyPlugin, AnotherBuildOfItMakesOtherRuns) {
  const Path file = routed("");
  const auto with = [&](const Path& built, const std::string& runs) {
    return run_arguments(file, runs, {"--plugin", built.string(), "--set", "study.seeds=[1]"});
  };
  const Path other = rebuilt("other.so");
  ASSERT_EQ(run(with(plugin(), "runs")).status, 0);
  refused(with(other, "runs"), "was trained with other settings: plugins.router additive: \"");
  ASSERT_EQ(run(with(other, "again")).status, 0);
  const auto diff = run({"diff", (folder / "runs/s").string(), (folder / "again/s").string()});
  for (const Path& built : {plugin(), other})
    EXPECT_NE(diff.out.find(hash_hex(read_file(built))), std::string::npos) << diff.out << diff.err;
}

TEST_F(StudyPlugin, WithoutItItsTypesAreUnknown) {
  refused(run_arguments(routed("")), "unknown router \"additive\"");
}

TEST_F(StudyPlugin, IsRefusedInOneLine) {
  const std::string whole = read_file(plugin());
  const auto load = [&](const Path& file) { return std::vector<std::string>{"list", "routers", "--plugin", file}; };
  refused(load(plugin("absent.so")), "absent.so: there is no such plug-in");
  write_file(plugin("text.so"), "no library");
  refused(load(plugin("text.so")), "text.so: is no plug-in: it lacks the entry that ABSORB_PLUGIN makes");
  write_file(plugin("cut.so"), whole.substr(0, whole.size() - 100));
  refused(load(plugin("cut.so")), "cut.so: can't be loaded: it is cut short");
  std::string older = whole;
  const auto at = older.find("built against absorb ");
  ASSERT_NE(at, std::string::npos);
  older.replace(at, 21, "built against absorb!");
  write_file(plugin("older.so"), older);
  refused(load(plugin("older.so")), "older.so: was built against absorb!");
  auto twice = load(plugin());
  twice.insert(twice.end(), {"--plugin", rebuilt("twice.so")});
  refused(twice, "twice.so: registers the router \"additive\", a name that another plug-in has taken already");
  refused(run_arguments(routed("./absent.so")), "absent.so: there is no such plug-in");
  EXPECT_FALSE(std::filesystem::exists(folder / "runs"));
}

}  // namespace
}  // namespace absorb
