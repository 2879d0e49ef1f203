// Opens the page in headless Chromium. Its label is `study`, as it takes seconds.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <regex>

#include "studies/report/page/page.h"
#include "tests/studies/synthetic.h"
#include "tests/studies/synthetic_compensation.h"

namespace absorb {
namespace {

/// Output and errors of a shell command.
std::string output_of(const std::string& command) {
  std::string out;
  FILE* pipe = popen((command + " 2>&1").c_str(), "r");
  if (pipe == nullptr) return out;
  std::array<char, 4096> buffer;
  while (const size_t read = fread(buffer.data(), 1, buffer.size(), pipe)) out.append(buffer.data(), read);
  pclose(pipe);
  return out;
}

std::string browser() {
  for (const char* name : {"chromium", "chromium-browser", "google-chrome"})
    if (!output_of(std::string("command -v ") + name).empty()) return name;
  return "";
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

/// Writes into the document what a reader of that width would have to scroll sideways for. What lies inside a box that
/// scrolls by itself doesn't count.
constexpr const char* measure = R"(<script>
addEventListener("load", () => {
  const width = document.documentElement.clientWidth;  // without the scroll bar
  const wide = [...document.body.querySelectorAll("*")].filter(e =>
    !e.parentElement.closest(".scroll") && !e.closest("svg *") && e.getBoundingClientRect().right > width + 0.5);
  document.documentElement.dataset.measured =
    [innerWidth, document.documentElement.scrollWidth - width, wide.map(e => e.tagName).join(",")].join(";");
});
</script></body>)";

class StudyReportPage : public testing::Test {
 protected:
  void SetUp() override {
    name_ = browser();
    if (name_.empty()) GTEST_SKIP() << "no chromium, chromium-browser or google-chrome on this machine";
    folder_ = std::filesystem::temp_directory_path() / fmt::format("absorb-page-{}", ::getpid());
    std::filesystem::create_directories(folder_);
    const Study study = synthetic::rich_study();
    const std::vector<RunRecord> records = synthetic::rich_records();
    page_ = report_page(
        {study, synthetic::words(), records, synthetic::rich_analysis(study, records), synthetic::compensation()});
  }
  void TearDown() override {
    if (!folder_.empty()) std::filesystem::remove_all(folder_);
  }

  /// The document as the browser leaves it, after its log.
  std::string open(const std::string& html, int width) {
    write_file(folder_ / "page.html", html);
    return output_of(fmt::format(
        "timeout 120 {} --headless {} --disable-gpu --disable-dev-shm-usage --no-first-run --user-data-dir={} "
        "--window-size={},1000 --enable-logging=stderr --v=0 --dump-dom file://{}",
        name_, ::geteuid() == 0 ? "--no-sandbox" : "", (folder_ / "profile").string(), width,
        (folder_ / "page.html").string()));
  }
  /// The page's own policy allows no script but its own, so a copy that is measured goes without it.
  static std::string without_policy(const std::string& html) {
    return std::regex_replace(html, std::regex("<meta http-equiv=\"Content-Security-Policy\"[^>]*>"), "");
  }
  /// "inner width;pixels to scroll sideways;elements beyond the window".
  std::string measured(const std::string& html, int width) {
    const std::string dom = open(replaced(without_policy(html), "</body>", measure), width);
    std::smatch match;
    return std::regex_search(dom, match, std::regex("data-measured=\"([^\"]*)\"")) ? match[1].str() : dom;
  }

  std::string name_, page_;
  Path folder_;
};

TEST_F(StudyReportPage, NothingIsWiderThanTheWindow) {
  EXPECT_EQ(measured(page_, 1400), "1400;0;");
  EXPECT_EQ(measured(page_, 800), "800;0;");
  const std::string unfolded = std::regex_replace(page_, std::regex("<details([^>]*)>"), "<details open>");
  EXPECT_EQ(measured(unfolded, 1400), "1400;0;");
  EXPECT_EQ(measured(unfolded, 800), "800;0;");
}

TEST_F(StudyReportPage, TheMeasureSeesWhatIsWider) {
  const std::string wide = replaced(page_, "</main>", "<div style=\"width:1000px\">x</div></main>");
  EXPECT_NE(measured(wide, 800), "800;0;");
}

TEST_F(StudyReportPage, NoConsoleErrorAndNoRequest) {
  for (int width : {1400, 800}) {
    const std::string log = open(page_, width);
    EXPECT_NE(log.find("</html>"), std::string::npos) << log;
    EXPECT_EQ(log.find("CONSOLE"), std::string::npos) << log.substr(log.find("CONSOLE"), 300);
  }
  EXPECT_FALSE(std::regex_search(page_, std::regex("(src|href)=\"(?!data:,|#)|https?://")));
}

/// What the slider of recovery shows at its first place, at 0 and at 100: "n of all, n, n".
constexpr const char* slide = R"(<script>
addEventListener("load", () => {
  const slider = document.querySelector("input[data-graph=graph-recovery]");
  const edges = [...document.querySelectorAll("#graph-recovery .edge")];
  const shown = () => edges.filter(e => getComputedStyle(e).display != "none").length;
  const counts = [slider.closest("p").hidden, edges.length, shown()];
  for (const place of [0, 100]) {
    slider.value = place;
    slider.dispatchEvent(new Event("input"));
    counts.push(shown());
  }
  document.documentElement.dataset.measured = counts.join(";");
});
</script></body>)";

TEST_F(StudyReportPage, TheSliderHidesAndShowsEdges) {
  const std::string dom = open(replaced(without_policy(page_), "</body>", slide), 1400);
  std::smatch match;
  ASSERT_TRUE(std::regex_search(dom, match, std::regex("data-measured=\"false;([0-9]+);([0-9]+);([0-9]+);([0-9]+)\"")));
  const int all = std::stoi(match[1]), first = std::stoi(match[2]);
  EXPECT_LT(first, all);
  EXPECT_GT(first, 0);
  EXPECT_EQ(std::stoi(match[3]), all);
  EXPECT_GE(std::stoi(match[4]), 1);  // the strongest of all panels
  EXPECT_LT(std::stoi(match[4]), first);
}

TEST_F(StudyReportPage, ThePolicyLetsThePagesOwnScriptRunAndNoOther) {
  const std::string dom = open(page_, 1400);  // the slider stands hidden until the script has run
  EXPECT_EQ(dom.find("<p class=\"slider\" hidden"), std::string::npos);
  EXPECT_NE(dom.find("<p class=\"slider\">"), std::string::npos);
  EXPECT_NE(open(replaced(page_, "</main>", "<script>1;</script></main>"), 1400).find("CONSOLE"), std::string::npos);
}

TEST_F(StudyReportPage, TheLogShowsARequestThatThePolicyRefuses) {
  const std::string asking = replaced(page_, "</main>", "<img src=\"http://127.0.0.1:9/x.png\" alt=\"\"></main>");
  EXPECT_NE(open(asking, 800).find("CONSOLE"), std::string::npos);
}

}  // namespace
}  // namespace absorb
