// What the compiler says of every kernel (cmake/keep_ptxas_report): none keeps registers, or an array that is indexed
// at run time, in local memory, which is far slower. No GPU is needed.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <sstream>

namespace absorb {
namespace {

namespace fs = std::filesystem;

// Stack frames of a few words, in bytes, where registers are capped so that two or three blocks share a multiprocessor:
// the caps were chosen by measurement, these included. Parts of mangled names (head size, rank, mode).
const std::map<std::string, int> allowed = {
    {"14forward_kernelILi64ELi32ELNS1_4ModeE1E", 8},
    {"12query_kernelILi64ELi16ELNS1_4ModeE2E", 16},
    {"12query_kernelILi64ELi16ELNS1_4ModeE3E", 8},
    {"12query_kernelILi64ELi32ELNS1_4ModeE1E", 8},
    {"12query_kernelILi64ELi32ELNS1_4ModeE2E", 8},
    {"12query_kernelILi64ELi32ELNS1_4ModeE3E", 16},
    {"12query_kernelILi32ELi64ELNS1_4ModeE2E", 16},
    {"12query_kernelILi32ELi64ELNS1_4ModeE3E", 8},
    {"10key_kernelILi128ELi32ELNS1_4ModeE3E", 8},
    {"10key_kernelILi128ELi64ELNS1_4ModeE1E", 16},
    {"10key_kernelILi128ELi64ELNS1_4ModeE3E", 32},
    // A warp's 64 x 64 sums take half of the 255 registers that a thread may have.
    {"sum_sharesINS1_5SmallE", 56},
    // Three vectors a thread and any number of kept experts; two have a kernel of their own.
    {"combineINS1_5ShapeILi16ELi8ELi3ELi0E", 8},
    {"combineINS1_5ShapeILi32ELi8ELi3ELi0E", 8},
};

struct Kernel {
  std::string name;  // mangled
  int stack = 0;     // bytes
};

// The kernels of one report, as machine code of an H100.
std::vector<Kernel> kernels_of(std::istream& report) {
  static const std::regex entry("Compiling entry function '(\\S+)' for 'sm_90a'"), other("Compiling entry function"),
      frame("(\\d+) bytes stack frame");
  std::vector<Kernel> kernels;
  std::string line;
  bool wanted = false;
  for (std::smatch match; std::getline(report, line);) {
    if (std::regex_search(line, other)) {
      wanted = std::regex_search(line, match, entry);
      if (wanted) kernels.push_back({match[1], 0});
    } else if (wanted && std::regex_search(line, match, frame)) {
      kernels.back().stack = std::max(kernels.back().stack, std::stoi(match[1]));
    }
  }
  return kernels;
}

int allowed_for(const std::string& kernel) {
  for (const auto& [part, bytes] : allowed)
    if (kernel.find(part) != std::string::npos) return bytes;
  return 0;
}

// Objects of the sources that there are; older ones may lie about.
std::vector<fs::path> cuda_objects() {
  std::vector<fs::path> objects;
  const fs::path build = fs::path(ABSORB_BUILD_DIR) / "CMakeFiles";
  if (!fs::exists(build)) return objects;
  for (const auto& folder : fs::directory_iterator(build)) {
    if (folder.path().extension() != ".dir") continue;
    for (const auto& file : fs::recursive_directory_iterator(folder)) {
      const std::string name = fs::relative(file.path(), folder).string();
      if (name.ends_with(".cu.o") && fs::exists(fs::path(ABSORB_SOURCE_DIR) / name.substr(0, name.size() - 2)))
        objects.push_back(file.path());
    }
  }
  return objects;
}

TEST(CoreRegisterSpills, ReadsACompilersReport) {
  std::istringstream report(
      "ptxas info    : 0 bytes gmem\n"
      "ptxas info    : Compiling entry function '_Z1av' for 'sm_80'\n"
      "    64 bytes stack frame, 60 bytes spill stores, 60 bytes spill loads\n"
      "ptxas info    : Compiling entry function '_Z1av' for 'sm_90a'\n"
      "ptxas info    : Function properties for _Z1av\n"
      "    16 bytes stack frame, 12 bytes spill stores, 8 bytes spill loads\n"
      "ptxas info    : Used 168 registers, used 1 barriers, 16 bytes cumulative stack size\n"
      "ptxas info    : Compiling entry function '_Z1bv' for 'sm_90a'\n"
      "    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads\n");
  const std::vector<Kernel> kernels = kernels_of(report);
  ASSERT_EQ(kernels.size(), 2u);
  EXPECT_EQ(kernels[0].name, "_Z1av");
  EXPECT_EQ(kernels[0].stack, 16);
  EXPECT_EQ(kernels[1].stack, 0);
}

TEST(CoreRegisterSpills, NoKernelHasMoreThanIsAllowed) {
  const std::vector<fs::path> objects = cuda_objects();
  if (objects.empty()) GTEST_SKIP() << "this build has no CUDA kernels";
  std::size_t count = 0;
  for (const fs::path& object : objects) {
    std::ifstream report(object.string() + ".ptxas");
    EXPECT_TRUE(report.good()) << object << " was compiled without a report";
    for (const Kernel& kernel : kernels_of(report)) {
      EXPECT_LE(kernel.stack, allowed_for(kernel.name)) << kernel.name << " of " << object.filename();
      ++count;
    }
  }
  if (count == 0) GTEST_SKIP() << "no kernel was compiled for an H100";
}

}  // namespace
}  // namespace absorb
