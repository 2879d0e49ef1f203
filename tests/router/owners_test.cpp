// What a router, a selection or a routing loss is called and how it is set is known to that type alone: everybody else
// asks it (cost, causal, reaches_router, traits). The rule is a function of a tree's root, so that it is shown to fail.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "router/route.h"

namespace absorb {
namespace {

namespace fs = std::filesystem;

std::set<std::string> registered_names() {
  std::set<std::string> names;
  const Registries& all = registries();
  for (const auto& list : {all.routers.names(), all.selections.names(), all.losses.names()})
    names.insert(list.begin(), list.end());
  return names;
}

// Settings of the three kinds, and what they may be set to, but for words that other settings have as well.
std::set<std::string> choices_of_settings() {
  std::set<std::string> choices;
  const auto add = [&choices](const auto& registry) {
    for (const std::string& name : registry.names())
      for (const FieldDoc& field : registry.fields_of(name)) {
        if (field.type != "string") continue;
        const std::regex word("[a-z_]+");
        for (std::sregex_iterator at(field.range.begin(), field.range.end(), word), end; at != end; ++at)
          choices.insert(at->str());
      }
  };
  add(registries().routers);
  add(registries().selections);
  for (const char* common : {"none", "one", "mean", "weights", "causal"}) choices.erase(common);
  return choices;
}

// Besides the types themselves: the room that says what other programs call them.
bool owns(const std::string& file) {
  return std::ranges::any_of(
      std::vector<std::string>{"router/routers/", "router/selections/", "router/losses/", "studies/exchange/"},
      [&](const std::string& folder) { return file.starts_with(folder); });
}

// The conformance kit sets what the field lists document, whatever it is called.
bool may_read_tables(const std::string& file) {
  return file == "router/conformance/settings.cpp" || file == "router/conformance/selection.cpp";
}

// A word that means something else there: the schedule of the learning rate.
bool is_other_word(const std::string& line) {
  return line.find("schedule == \"cosine\"") != std::string::npos;
}

std::string first_group(const std::smatch& match) {
  for (std::size_t i = 1; i < match.size(); ++i)
    if (match[i].matched) return match[i];
  return "";
}

std::string fault_of(const std::string& line, const std::string& file, const std::set<std::string>& words) {
  static const std::regex compared(R"re([=!]=\s*"([^"]*)"|"([^"]*)"\s*[=!]=)re");
  static const std::regex looked_up(
      R"re((?:router|selection|losses|routing)\w*(?:\.\w+)*(?:\.|->)(?:find|contains|count|at|value)\(\s*"([^"]*)")re");
  static const std::regex table(R"re((?:\.|->)table\.(?:value|has|at|table|tables)\b)re");
  std::smatch match;
  if (is_other_word(line)) return "";
  if (std::regex_search(line, match, compared) && words.contains(first_group(match))) return "compares a name";
  if (std::regex_search(line, match, looked_up) && words.contains(first_group(match))) return "looks a name up";
  if (!may_read_tables(file) && std::regex_search(line, table)) return "reads the settings of a type";
  return "";
}

// "file:line: what" of every line that knows better than the type.
std::vector<std::string> offences(const fs::path& root) {
  std::set<std::string> words = registered_names();
  words.merge(choices_of_settings());
  std::vector<std::string> found;
  for (const char* room : {"router", "attention", "moe", "transformer", "compensation", "studies"}) {
    if (!fs::is_directory(root / room)) continue;
    for (const auto& entry : fs::recursive_directory_iterator(root / room)) {
      const std::string file = fs::relative(entry.path(), root), extension = entry.path().extension();
      if (owns(file) || (extension != ".h" && extension != ".cpp" && extension != ".cu" && extension != ".cuh"))
        continue;
      std::ifstream in(entry.path());
      int number = 0;
      for (std::string line; std::getline(in, line);) {
        ++number;
        const std::string fault = fault_of(line.substr(0, line.find("//")), file, words);
        if (!fault.empty()) found.push_back(file + ':' + std::to_string(number) + ": " + fault + ": " + line);
      }
    }
  }
  return found;
}

TEST(Owners, NobodyElseKnowsWhatATypeIsCalledOrHowItIsSet) {
  ASSERT_TRUE(choices_of_settings().contains("straight_through"));
  for (const std::string& line : offences(ABSORB_SOURCE_DIR)) ADD_FAILURE() << line;
}

TEST(Owners, WhoeverDoesIsFound) {
  const fs::path root = fs::path(testing::TempDir()) / "absorb_owners";
  const auto found = [&root](const std::string& file, const std::string& text) {
    fs::remove_all(root);
    fs::create_directories((root / file).parent_path());
    std::ofstream(root / file) << text << '\n';
    return offences(root).size();
  };
  for (const char* line : {"if (run.moe.selection.type != \"top_k\") return 1;", "if (\"loss_free\" == type) return k;",
                           "const auto penalty = run.attention.losses.find(\"sparsity\");",
                           "if (gradient == \"straight_through\") return;", "const Json& table = typed.table.value();",
                           "run.attention.router.table.value()[\"rank\"].get<double>();",
                           "return routing.selection.table.value().value(\"gradient\", \"\") == \"none\";"}) {
    EXPECT_EQ(found("studies/plan/matching.cpp", line), 1U) << line;
    EXPECT_EQ(found("router/selections/top_k.cpp", line), 0U) << line;
  }
  for (const char* line : {"// if (type == \"top_k\")", "out[\"top_k\"] = run.top_k;", "if (match == \"none\") return;",
                           "const Json kept = {{\"type\", \"top_k\"}};"})
    EXPECT_EQ(found("studies/plan/matching.cpp", line), 0U) << line;
  fs::remove_all(root);
}

}  // namespace
}  // namespace absorb
