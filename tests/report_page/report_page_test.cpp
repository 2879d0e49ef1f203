// Opens the page in headless Chromium. Its label is `study`, as it takes seconds.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <regex>

#include "studies/report/page.h"
#include "tests/studies/synthetic.h"

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
    page_ = report_page(study, records, synthetic::rich_analysis(study, records));
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
  /// "inner width;pixels to scroll sideways;elements beyond the window".
  std::string measured(const std::string& html, int width) {
    // The page's own policy allows no script, so the copy that is measured goes without it.
    std::string copy = std::regex_replace(html, std::regex("<meta http-equiv=\"Content-Security-Policy\"[^>]*>"), "");
    const std::string dom = open(replaced(copy, "</body>", measure), width);
    std::smatch match;
    return std::regex_search(dom, match, std::regex("data-measured=\"([^\"]*)\"")) ? match[1].str() : dom;
  }

  std::string name_, page_;
  Path folder_;
};

TEST_F(StudyReportPage, NothingIsWiderThanTheWindow) {
  EXPECT_EQ(measured(page_, 1400), "1400;0;");
  EXPECT_EQ(measured(page_, 800), "800;0;");
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
  EXPECT_FALSE(std::regex_search(page_, std::regex("(src|href)=\"(?!data:,)|https?://")));
}

TEST_F(StudyReportPage, TheLogShowsARequestThatThePolicyRefuses) {
  const std::string asking = replaced(page_, "</main>", "<img src=\"http://127.0.0.1:9/x.png\" alt=\"\"></main>");
  EXPECT_NE(open(asking, 800).find("CONSOLE"), std::string::npos);
}

}  // namespace
}  // namespace absorb
