// Finished runs that changed, data that changed, output that doesn't arrive, processes that are killed: every one is
// found, and nothing is left behind.
#include <fmt/format.h>
#include <signal.h>
#include <sys/resource.h>

#include <functional>
#include <thread>

#include "tests/studies/command/command_fixture.h"

namespace absorb {
namespace {

namespace fs = std::filesystem;

class StudyReliability : public testing::CommandTest {
 protected:
  static constexpr const char* deployment =
      "[[deployment]]\nname = \"hard\"\narms = [\"learned\"]\nrouting.selection = { type = \"top_k\", k = 2 }\n";

  // `progress`: the lines that may stand above it.
  static void expect_one_line(const testing::Result& result, const std::string& words, int progress = 0) {
    EXPECT_EQ(result.status, 2) << words << '\n' << result.err;
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1 + progress) << result.err;
    EXPECT_NE(result.err.find(words), std::string::npos) << "expected: " << words << "\ngot: " << result.err;
  }
  Path finished(const std::string& extra = "") const {
    const Path file = study(extra, "seeds = [1, 2]", 10);
    const testing::Result result = run(run_arguments(file));
    EXPECT_EQ(result.status, 0) << result.err;
    return file;
  }
  Path runs() const { return folder / "runs/s"; }
  static void flip(const Path& file, std::size_t at) {
    std::string bytes = read_file(file);
    bytes.at(at) = static_cast<char>(bytes[at] ^ 1);
    std::ofstream(file, std::ios::binary) << bytes;
  }
  testing::Result report() const { return run({"report", runs().string()}); }
  testing::Result compensate() const {
    return run({"compensate", runs().string(), "--measures", "first_order", "--device", "cpu", "--jobs", "1", "--set",
                "compensation.sequences=4"});
  }

  static std::vector<pid_t> workers_of(const std::string& mark) {
    std::vector<pid_t> found;
    for (const auto& entry : fs::directory_iterator("/proc")) {
      const std::string name = entry.path().filename();
      if (name.find_first_not_of("0123456789") != std::string::npos) continue;
      std::ifstream in(entry.path() / "cmdline");
      const std::string line((std::istreambuf_iterator<char>(in)), {});
      if (line.find("--worker") != std::string::npos && line.find(mark) != std::string::npos)
        found.push_back(std::stoi(name));
    }
    return found;
  }
  // Whether a process has a handler of its own for the signal.
  static bool catches(pid_t pid, int signal) {
    std::ifstream in("/proc/" + std::to_string(pid) + "/status");
    for (std::string line; std::getline(in, line);)
      if (line.starts_with("SigCgt:")) return (std::stoull(line.substr(7), nullptr, 16) >> (signal - 1) & 1) != 0;
    return false;
  }
  template <class Holds>
  static bool soon(const Holds& holds) {
    for (int i = 0; i < 15'000 && !holds(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(2));
    return holds();
  }
  bool two_train() const {
    int begun = 0;
    std::error_code error;
    for (fs::recursive_directory_iterator at(runs(), error), end; !error && at != end; at.increment(error))
      begun += at->path().filename() == "checkpoints" ? 1 : 0;
    return begun >= 2;
  }
};

TEST_F(StudyReliability, AFinishedRunThatChangedIsRefusedByName) {
  finished();
  const Path run = runs() / "learned.attention/seed-1";
  const auto refused_after = [&](const std::string& name, const std::function<void(const Path&)>& damage,
                                 const std::string& words) {
    const Path file = run / name, kept = folder / "kept";
    fs::copy_file(file, kept);
    damage(file);
    expect_one_line(report(), words);
    fs::remove(file);
    fs::rename(kept, file);
    EXPECT_EQ(report().status, 0) << name;  // its time moved, its bytes are the same
  };
  refused_after(
      "result.json", [](const Path& file) { flip(file, 30); }, "seed-1/result.json is not what its run wrote");
  refused_after(
      "result.json", [](const Path& file) { fs::remove(file); }, "result.json is not what its run wrote");
  refused_after(
      "metrics.jsonl", [](const Path& file) { flip(file, 20); }, "metrics.jsonl is not what its run wrote");
  refused_after(
      "documents.safetensors", [](const Path& file) { fs::resize_file(file, 9); }, "documents.safetensors");
  refused_after(
      "DONE", [](const Path& file) { std::ofstream(file) << "another\n"; }, "DONE is of another run");
}

TEST_F(StudyReliability, WeightsThatChangedAreNotMeasured) {
  finished();
  const Path first = runs() / "learned.attention/seed-1/weights.safetensors",
             second = runs() / "learned.attention/seed-2/weights.safetensors", kept = folder / "kept";
  fs::copy_file(second, kept);
  flip(second, fs::file_size(second) - 3);
  expect_one_line(compensate(), "seed-2/weights.safetensors is not what its run wrote");
  fs::copy_file(first, second, fs::copy_options::overwrite_existing);
  expect_one_line(compensate(), "seed-2/weights.safetensors is not what its run wrote");
  fs::copy_file(kept, second, fs::copy_options::overwrite_existing);
  EXPECT_EQ(compensate().status, 0);
}

TEST_F(StudyReliability, OtherDataBehindTheSamePathIsNamed) {
  const Path text = folder / "text.txt";
  const auto write_text = [&](int salt) {
    std::ofstream out(text);
    for (int i = 0; i < 400; ++i) out << "Line " << i * salt << " of a text that says nothing at all.\n\n";
  };
  write_text(1);
  const auto text_study = [&](const std::string& head) {
    const Path file = study(deployment, head, 10);
    std::string all = read_file(file);
    const std::string own = "type = \"recall\"\nsequences = 64\n";
    all.replace(all.find(own), own.size(),
                fmt::format("type = \"text\"\ncorpus = \"{}\"\nvalid_share = 0.2\ntest_share = 0.1\n", text.string()));
    write_file(file, all);
    return file;
  };
  ASSERT_EQ(run(run_arguments(text_study("seeds = [1]"))).status, 0);
  write_text(2);
  // A seed that is added, deployments, compensation.
  expect_one_line(run(run_arguments(text_study("seeds = [1, 2]"))), "was trained on other data");
  fs::remove_all(runs() / "learned.attention/seed-1/deployments");
  expect_one_line(
      run({"deploy", text_study("seeds = [1]").string(), "--runs", (folder / "runs").string(), "--device", "cpu"}),
      "was trained on other data", 1);
  expect_one_line(compensate(), "was trained on other data");
}

TEST_F(StudyReliability, TokensThatWereOverwrittenAreNotTrainedOn) {
  const Path text = folder / "text.txt";
  std::ofstream out(text);
  for (int i = 0; i < 400; ++i) out << "Line " << i << " of a text that says nothing at all.\n\n";
  out.close();
  const std::vector<std::string> sets = {"--set", "data.type=text",      "--set", "data.corpus=" + text.string(),
                                         "--set", "data.valid_share=0.2"};
  ASSERT_EQ(run(run_arguments(study("", "seeds = [1]", 10), "runs", sets)).status, 0);
  for (const auto& entry : fs::recursive_directory_iterator(folder / "tokens"))
    if (entry.path().filename() == "train.bin") flip(entry.path(), 100);
  expect_one_line(run(run_arguments(study("", "seeds = [1]", 10), "other", sets)), "train.bin changed since");
}

TEST_F(StudyReliability, TwoStudiesOfOneName) {
  finished();
  const Path other = study("", "seeds = [1]", 10);
  std::string text = read_file(other);
  for (std::size_t at; (at = text.find("\"learned\"")) != std::string::npos;) text.replace(at, 9, "\"another\"");
  for (std::size_t at; (at = text.find("\"random\"")) != std::string::npos;) text.replace(at, 8, "\"frozen\"");
  write_file(other, text);
  expect_one_line(run(run_arguments(other)),
                  "holds the runs of another study of this name, such as learned.attention/");
}

TEST_F(StudyReliability, OutputThatDoesNotArriveIsAnError) {
  finished();
  fs::create_symlink("/dev/full", folder / "full");
  for (const std::vector<std::string>& arguments : std::vector<std::vector<std::string>>{
           {"report", runs().string()}, {"status", runs().string()}, {"list", "routers"}, {"--help"}, {"--version"}}) {
    fs::remove(folder / "stdout");
    fs::create_symlink("/dev/full", folder / "stdout");
    const pid_t pid = start(arguments);
    int status = 0;
    ::waitpid(pid, &status, 0);
    EXPECT_EQ(WEXITSTATUS(status), 2) << arguments[0];
    const std::string err = read_file(folder / "stderr");
    EXPECT_NE(err.find("can't write to standard output"), std::string::npos) << arguments[0] << ": " << err;
  }
  fs::remove(folder / "stdout");
}

TEST_F(StudyReliability, ASignalBeforeTheFirstStepEndsWith75) {
  const Path file = study("", "seeds = [1]", 5000);
  for (const int signal : {SIGTERM, SIGUSR1, SIGINT})
    for (const int wait_ms : {0, 200}) {
      const pid_t pid = start(run_arguments(file, "runs" + std::to_string(signal)));
      ASSERT_TRUE(soon([&] { return catches(pid, signal); }));  // the first thing that the command does
      std::this_thread::sleep_for(std::chrono::milliseconds(wait_ms));
      ::kill(pid, signal);
      EXPECT_EQ(wait(pid).status, 75) << signal << " after " << wait_ms << " ms";
    }
}

TEST_F(StudyReliability, NoWorkerOutlivesItsParent) {
  for (const bool twice : {false, true}) {
    std::vector<std::string> arguments = run_arguments(study("", "seeds = [1, 2]", 4000), twice ? "runs" : "first");
    arguments.back() = "2";
    const pid_t command = start(arguments);
    ASSERT_TRUE(soon([&] { return workers_of(folder.string()).size() == 2; }));
    if (twice) ASSERT_TRUE(soon([&] { return two_train(); }));
    ::kill(command, twice ? SIGTERM : SIGKILL);
    if (twice) {
      std::this_thread::sleep_for(std::chrono::milliseconds(30));
      ::kill(command, SIGTERM);
    }
    wait(command);
    EXPECT_TRUE(soon([&] { return workers_of(folder.string()).empty(); })) << (twice ? "two SIGTERM" : "kill -9");
  }
}

TEST_F(StudyReliability, AFileThatMayNotGrowIsAnErrorOfItsWrite) {
  ::signal(SIGXFSZ, SIG_DFL);
  const pid_t pid = ::fork();
  if (pid == 0) {
    const rlimit small{4096, 4096};
    ::setrlimit(RLIMIT_FSIZE, &small);
    const testing::Result result = run(run_arguments(study("", "seeds = [1]", 10)));
    ::_exit(result.status == 2 && result.err.find("File too large") != std::string::npos ? 0 : 1);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 0) << read_file(folder / "stderr");
}

TEST_F(StudyReliability, WordsThatAreNearlyRight) {
  expect_one_line(run({"rnu"}), "there is no command \"rnu\": did you mean \"run\"?");
  expect_one_line(run({"run", "x.toml", "--jbos", "2"}), "there is no option --jbos: did you mean --jobs?");
  expect_one_line(run({"run", "x\ny\x1b[31m.toml"}), "x\\ny\\x1b[31m.toml");
  expect_one_line(run({"graph", "x", "paths", "-k", "2147483647"}), "-k");
  std::string axes;
  for (const char* key : {"training.batch", "training.warmup", "model.width", "routing.router.rank"}) {
    axes += fmt::format("[[axis]]\nkey = \"{}\"\nvalues = [1", key);
    for (int i = 2; i <= 60; ++i) axes += fmt::format(", {}", i);
    axes += "]\n";
  }
  expect_one_line(run(run_arguments(study(axes, "seeds = [1]"))), "a study holds at most 100000");
  expect_one_line(run(run_arguments(study("[[arm]]\nname = \"null\"\n", "seeds = [1]"))),
                  "would be a missing value to pandas");
}

}  // namespace
}  // namespace absorb
