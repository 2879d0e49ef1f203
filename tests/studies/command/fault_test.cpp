// File operations that go wrong, one after the other, over a whole small study: the command ends with what it would
// have ended with, or with one line; and the same command, run again, gives the same results to the bit.
#include <fmt/format.h>

#include <array>
#include <cstdlib>
#include <functional>

#include "tests/studies/command/small_study.h"

namespace absorb {
namespace {

namespace fs = std::filesystem;

class StudyFaults : public testing::SmallStudyTest {
 protected:
  testing::Result with_fault(const std::string& fault, const std::vector<std::string>& arguments) const {
    ::setenv("ABSORB_FAULT", fault.c_str(), 1);
    const pid_t pid = start(arguments);
    ::unsetenv("ABSORB_FAULT");
    return wait(pid);
  }
  // How many file operations a command makes.
  int64_t operations(const std::vector<std::string>& arguments) const {
    const Path file = folder / "count";
    EXPECT_EQ(with_fault("count:" + file.string(), arguments).status, 0);
    return std::stoll(read_file(file));
  }
  std::vector<std::string> run_into(const std::string& runs) const { return run_arguments(small(6), runs); }
  static void expect_answer(const testing::Result& result, const std::string& fault) {
    const bool killed = fault.starts_with("kill"), harmless = result.status == 0;
    if (killed) EXPECT_TRUE(harmless || result.status == 137) << fault << ": " << result.status << '\n' << result.err;
    if (killed || harmless) return;
    EXPECT_EQ(result.status, 2) << fault << '\n' << result.err;
    EXPECT_EQ(result.err.find("internal error"), std::string::npos) << fault << '\n' << result.err;
    EXPECT_NE(result.err.find("absorb: "), std::string::npos) << fault << '\n' << result.err;
  }
  // Every `stride`-th operation of a command goes wrong in turn, each in a folder that `prepare` makes.
  void walk(const std::function<std::vector<std::string>(const std::string&)>& command, int64_t stride,
            const std::function<void(const std::string&)>& prepare) const {
    prepare("reference");
    ASSERT_EQ(run(command("reference")).status, 0);
    const std::string expected = results("reference");
    prepare("counted");
    const int64_t count = operations(command("counted"));
    ASSERT_GT(count, 10);
    int64_t number = 0;
    const char* kind = std::getenv("ABSORB_FAULT_KIND");
    for (int64_t n = stated("ABSORB_FAULT_FIRST", 1); n <= count; n += stride) {
      const std::string fault =
          fmt::format("{}:{}", kind != nullptr ? kind : std::array{"fail", "short", "kill"}[number++ % 3], n);
      fs::remove_all(folder / "tried");
      prepare("tried");
      expect_answer(with_fault(fault, command("tried")), fault);
      const testing::Result again = run(command("tried"));
      ASSERT_EQ(again.status, 0) << fault << " of " << count << '\n' << again.err;
      ASSERT_EQ(results("tried"), expected) << fault << " of " << count;
    }
    fmt::print("tries at {} operations, every {}th\n", count, stride);
  }
  // ABSORB_FAULT_STRIDE=1 tries every operation. With ABSORB_FAULT_FIRST and
  // ABSORB_FAULT_KIND (fail, short, kill) several processes share them.
  static int64_t stride(int64_t usual) { return stated("ABSORB_FAULT_STRIDE", usual); }
};

TEST_F(StudyFaults, OfRunAndItsDeployments) {
  walk([this](const std::string& runs) { return run_into(runs); }, stride(61), [](const std::string&) {});
}

TEST_F(StudyFaults, OfCompensate) {
  ASSERT_EQ(run(run_into("finished")).status, 0);
  walk([this](const std::string& runs) { return compensate(runs); }, stride(37),
       [this](const std::string& runs) { fs::copy(folder / "finished", folder / runs, fs::copy_options::recursive); });
}

TEST_F(StudyFaults, OfTokens) {
  std::ofstream text(folder / "text.txt");
  for (int i = 0; i < 300; ++i) text << "document " << i << " has its number\n\n";
  text.close();
  const auto tokens = [this](const std::string& into) {
    return std::vector<std::string>{"tokens", (folder / into).string(), "--set",
                                    "corpus=" + (folder / "text.txt").string()};
  };
  ASSERT_EQ(run(tokens("whole")).status, 0);
  const int64_t count = operations(tokens("counted"));
  for (int64_t n = 1; n <= count; n += stride(7))
    for (const char* kind : {"fail", "short", "kill"}) {
      const std::string fault = fmt::format("{}:{}", kind, n);
      fs::remove_all(folder / "tried");
      const testing::Result result = with_fault(fault, tokens("tried"));
      expect_answer(result, fault);
      // A folder that stands is whole.
      if (!fs::exists(folder / "tried")) ASSERT_EQ(run(tokens("tried")).status, 0) << fault;
      for (const char* file : {"train.bin", "valid.bin", "test.bin"})
        EXPECT_EQ(read_file(folder / "tried" / file), read_file(folder / "whole" / file)) << fault;
    }
}

TEST_F(StudyFaults, OfReport) {
  ASSERT_EQ(run(run_into("finished")).status, 0);
  walk(
      [this](const std::string& runs) {
        return std::vector<std::string>{"report", (folder / runs / "s").string()};
      },
      stride(29),
      [this](const std::string& runs) { fs::copy(folder / "finished", folder / runs, fs::copy_options::recursive); });
}

TEST_F(StudyFaults, OfPackAndUnpack) {
  ASSERT_EQ(run(run_into("finished")).status, 0);
  const std::string bundle = (folder / "b.tar.zst").string(), whole = (folder / "whole.tar.zst").string();
  const std::vector<std::string> pack = {"pack", (folder / "finished/s").string(), bundle};
  ASSERT_EQ(run({"pack", (folder / "finished/s").string(), whole}).status, 0);
  const std::string expected = read_file(whole);
  const int64_t packed = operations(pack);
  fs::remove(bundle);
  for (int64_t n = 1; n <= packed; n += stride(17)) {
    expect_answer(with_fault(fmt::format("fail:{}", n), pack), "fail");
    EXPECT_TRUE(!fs::exists(bundle) || read_file(bundle) == expected) << n;
    fs::remove(bundle);
  }
  const std::vector<std::string> unpack = {"unpack", whole, (folder / "into").string()};
  const int64_t unpacked = operations(unpack);
  for (int64_t n = 1; n <= unpacked; n += stride(17)) {
    fs::remove_all(folder / "into");
    const testing::Result result = with_fault(fmt::format("fail:{}", n), unpack);
    expect_answer(result, "fail");
    EXPECT_EQ(fs::exists(folder / "into"), result.status == 0) << n;
  }
}

}  // namespace
}  // namespace absorb
