// An operation has one listing: who looks at what is written to the stream, or knocks some of it out, goes through the
// very operations that everybody else does; and no source is cut by how code runs.
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "tests/routing_fixture.h"
#include "transformer/model.h"

namespace absorb {
namespace {

using namespace testing;
namespace fs = std::filesystem;

using Write = std::function<Tensor(const Site&, const Tensor&)>;

struct Subject {
  Parameters parameters{1};
  Model model;
  Routes routes;
  explicit Subject(const std::string& target, const std::string& selection)
      : model(settings(), 20, target_named(target).moe, parameters),
        routes(make_routes(model, target_named(target), routed(selection), routed(selection), parameters)) {
    parameters.gather(at::kCPU);
  }
  static ModelSettings settings() {
    ModelSettings settings;
    settings.layers = 2;
    settings.width = 16;
    settings.heads = 2;
    settings.context = 12;
    settings.dropout = 0.1;
    settings.moe.experts = 4;
    return settings;
  }
  static RoutingSettings routed(const std::string& selection) {
    return routing("router = { type = \"bilinear\", rank = 4 }\nselection = " + selection);
  }
  // {losses [B,T], the parameters' gradient}
  std::pair<Tensor, Tensor> run(const Write& write, bool twice_differentiable = false) const {
    parameters.flat_gradient().zero_();
    const Tensor text = at::arange(3 * 13).remainder(20).view({3, 13});
    Pass pass{.in = {.training = true,
                     .twice_differentiable = twice_differentiable,
                     .seed = 7,
                     .step = at::full({}, 2, at::kLong),
                     .write = write}};
    const Tensor losses = model.losses(text.narrow(1, 0, 12), text.narrow(1, 1, 12), routes, pass);
    losses.mean().backward();
    return {losses.detach(), parameters.flat_gradient().clone()};
  }
};

const std::vector<std::pair<std::string, std::string>>& cases() {
  static const std::vector<std::pair<std::string, std::string>> all = {
      {"dense", "{ type = \"soft\" }"},
      {"attention", "{ type = \"soft\" }"},
      {"attention", "{ type = \"top_k\", k = 3, weight = \"sigmoid\" }"},
      {"moe", "{ type = \"softmax\" }"},
      {"moe", "{ type = \"top_k\", k = 2, weight = \"softmax\" }"},
      {"both", "{ type = \"top_k\", k = 2, weight = \"sigmoid\" }"}};
  return all;
}

TEST(TransformerOperations, WhoLooksSeesEveryWriterOnceAndChangesNoBit) {
  for (const auto& [target, selection] : cases()) {
    const Subject subject(target, selection);
    std::vector<Site> seen;
    const auto plain = subject.run({}), looked = subject.run([&](const Site&site, const Tensor&y) {
      EXPECT_EQ(y.sizes(), (std::vector<int64_t>{3, 12, 16}));
      seen.push_back(site);
      return y;
    });
    EXPECT_TRUE(at::equal(plain.first, looked.first)) << target << ", " << selection;
    EXPECT_TRUE(at::equal(plain.second, looked.second)) << target << ", " << selection;
    EXPECT_EQ(seen, subject.model.writers()) << target;
  }
}

TEST(TransformerOperations, AWriterThatIsKnockedOutWritesNothing) {
  for (const auto& [target, selection] : cases()) {
    const Subject subject(target, selection);
    const auto plain = subject.run({});
    for (const Site& out : subject.model.writers()) {
      std::map<Site, Tensor> written;
      const auto knocked = subject.run(
          [&](const Site& site, const Tensor& y) { return written[site] = site == out ? at::zeros_like(y) : y; });
      EXPECT_FALSE(at::equal(plain.first, knocked.first)) << out;
      EXPECT_EQ(written.at(out).abs().max().item<float>(), 0);
    }
  }
}

TEST(TransformerOperations, TheStreamIsTheSumOfWhatIsWritten) {
  const Subject subject("both", "{ type = \"soft\" }");
  Tensor stream;
  const auto [losses, gradient] = subject.run([&](const Site&, const Tensor& y) {
    stream = stream.defined() ? stream + y.detach() : y.detach();
    return y;
  });
  const Tensor targets = (at::arange(3 * 13).remainder(20).view({3, 13})).narrow(1, 1, 12);
  Tensor effects = at::zeros({3, 12});
  subject.run([&](const Site&, const Tensor& y) {
    effects += subject.model.direct_effect(y.detach(), stream, targets).detach();
    return y;
  });
  const Tensor whole = subject.model.direct_effect(stream, stream, targets).detach();
  EXPECT_TRUE(at::allclose(effects, whole, 1e-4, 1e-5));
}

std::string text_of(const fs::path& file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

// Sources below the rooms that hold operations, from the root.
std::vector<std::string> sources(const fs::path& root) {
  std::vector<std::string> found;
  for (const char* room : {"core", "tensors", "router", "attention", "moe", "transformer", "training"})
    for (const auto& entry : fs::recursive_directory_iterator(root / room))
      if (entry.is_regular_file()) found.push_back(fs::relative(entry.path(), root));
  return found;
}

TEST(TransformerOperations, NoFileIsNamedByHowItsCodeRuns) {
  const fs::path root = ABSORB_SOURCE_DIR;
  const auto files = sources(root);
  ASSERT_GE(files.size(), 150U);
  for (const std::string& file : files) {
    const fs::path path = file;
    EXPECT_NE(path.stem(), "fused") << file;
    const std::string stem = path.stem();
    if (path.extension() != ".cpp" || !stem.ends_with("_fused")) continue;
    const std::string operation = stem.substr(0, stem.size() - std::string("_fused").size());
    EXPECT_TRUE(fs::exists(root / path.parent_path() / (operation + ".h"))) << file << " has no definition beside it";
    EXPECT_TRUE(fs::exists(root / path.parent_path() / (operation + ".cpp"))) << file << " has no composition";
  }
}

std::size_t times(const std::string& text, const std::string& part) {
  std::size_t n = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
  return n;
}

TEST(TransformerOperations, AreChosenInOnePlaceEach) {
  const fs::path root = ABSORB_SOURCE_DIR;
  // The rule itself; the scores that a route marks as kernels' to read; the weights behind a weight.
  const std::set<std::string> may_ask = {"tensors/pass.h", "tensors/kernels/kernel_choice.h", "router/route.cpp",
                                         "tensors/linear/linear.cpp"};
  std::set<std::string> choosers;
  for (const std::string& file : sources(root)) {
    const std::string text = text_of(root / file);
    const bool kernels = file.ends_with("_fused.cpp");
    if (const std::size_t n = times(text, "runs_kernel(pass"); n > 0) {
      choosers.insert(file);
      EXPECT_FALSE(kernels) << file << " chooses, which is its operation's to do";
      if (file != "tensors/linear/linear.cpp") EXPECT_EQ(n, 1U) << file;  // three operations
    }
    if (!kernels && !may_ask.contains(file))
      EXPECT_EQ(times(text, "kernels() ") + times(text, "in.fused"), 0U) << file << " asks by itself which form runs";
  }
  for (const std::string& file : sources(root))
    if (file.ends_with("_fused.cpp"))
      EXPECT_TRUE(choosers.contains(file.substr(0, file.size() - 10) + ".cpp")) << file << ": nothing chooses it";
  EXPECT_GE(choosers.size(), 8U);
}

}  // namespace
}  // namespace absorb
