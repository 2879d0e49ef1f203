#include <gtest/gtest.h>

#include <map>
#include <regex>

#include "studies/report/html.h"
#include "studies/report/page.h"
#include "studies/report/svg.h"
#include "tests/studies/synthetic.h"

namespace absorb {
namespace {

std::string page(const Study& study, const std::vector<RunRecord>& records) {
  return report_page(study, records, synthetic::rich_analysis(study, records));
}

size_t occurrences(const std::string& text, const std::string& part) {
  size_t found = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size())) ++found;
  return found;
}

TEST(StudiesReport, HoldsEveryPartOfTheStudy) {
  const std::string html = page(synthetic::rich_study(), synthetic::rich_records());
  for (const char* id : {"answers", "gaps", "losses", "absorption", "doses", "deployments", "health", "gradients",
                         "confounds", "methods", "provenance"})
    EXPECT_EQ(occurrences(html, std::string("<section id=\"") + id + "\""), 1u) << id;
  EXPECT_EQ(occurrences(html, "<p class=\"note\""), 1u);
  for (const auto& [prefix, figures] : std::map<std::string, size_t>{
           {"forest", 1},      // one for all
           {"curve", 3},       // targets
           {"swap", 1},        // one for all
           {"dose", 4},        // two axes, gap and R
           {"costs", 3},       // targets
           {"transplant", 4},  // targets, and the scale
           {"hardening", 3},   // targets
           {"account", 11}})   // arms of three targets
    EXPECT_EQ(occurrences(html, "<title id=\"" + prefix), figures) << prefix;
  EXPECT_EQ(occurrences(html, "<svg "), occurrences(html, "</desc>"));
  EXPECT_NE(html.find("0123456789abcdef0123456789abcdef01234567"), std::string::npos);
  EXPECT_NE(html.find("600 steps of 16 x 128 tokens"), std::string::npos);
  EXPECT_NE(html.find("routing.frozen = true"), std::string::npos);
  EXPECT_GE(occurrences(html, "class=\"meta concentration\""), 1u);
  EXPECT_LT(html.size(), 5'000'000u);
}

TEST(StudiesReport, TextOfAStudyIsEscaped) {
  Study study = synthetic::rich_study();
  study.settings.question = "<script>alert(1)</script>";
  study.settings.note = "a & b";
  const std::string html = page(study, synthetic::rich_records());
  EXPECT_EQ(html.find("<script"), std::string::npos);
  EXPECT_EQ(html.find("<later>"), std::string::npos);
  EXPECT_NE(html.find("&lt;script&gt;alert(1)"), std::string::npos);
  EXPECT_NE(html.find("a &amp; b"), std::string::npos);
}

TEST(StudiesReport, AsksForNothingAndRunsNothing) {
  const std::string html = page(synthetic::rich_study(), synthetic::rich_records());
  EXPECT_FALSE(std::regex_search(html, std::regex("(https?:)?//[a-z]")));
  EXPECT_FALSE(std::regex_search(html, std::regex("<(script|img|iframe|object|embed|audio|video)")));
  EXPECT_FALSE(std::regex_search(html, std::regex("@import|url\\([^#]| on[a-z]+=")));
}

TEST(StudiesReport, AnUnfinishedStudyHasAPageToo) {
  const Study study = synthetic::rich_study();
  EXPECT_NE(page(study, {}).find("No contrast has both of its arms yet."), std::string::npos);
  std::vector<RunRecord> records = synthetic::rich_records(1);
  EXPECT_NE(page(study, records).find("undecided (n)"), std::string::npos);
  for (RunRecord& run : records) run.state = "waiting";
  const std::string html = page(study, records);
  EXPECT_FALSE(std::regex_search(html, std::regex("\\bnan\\b")));
  EXPECT_NE(html.find("0 of 12 runs done"), std::string::npos);
}

TEST(StudiesReport, ManyRunsStayBelowFiveMegabytes) {
  const Study study = synthetic::rich_study();
  std::vector<RunRecord> records = synthetic::rich_records(25);  // 300 runs
  for (RunRecord& run : records) {
    run.curve.clear();
    for (int64_t step = 1; step <= 2000; ++step) run.curve.push_back({step, step * 1000, 2, 2});
  }
  EXPECT_LT(page(study, records).size(), 5'000'000u);
}

TEST(StudiesReport, TypesetsSignsButNotNamesAndDates) {
  EXPECT_EQ(report::typeset("-0.5 +/- 0.1"), "\u22120.5 \u00B1 0.1");
  EXPECT_EQ(report::typeset("[-1, 2]"), "[\u22121, 2]");
  EXPECT_EQ(report::typeset("arm-1, 1e-5, 2026-01-31"), "arm-1, 1e-5, 2026-01-31");
  EXPECT_EQ(report::typeset("frozen = true (n = 5)"), "frozen = true (n\u00A0=\u00A05)");
  EXPECT_EQ(report::typeset("-"), "\u2013");
  EXPECT_EQ(report::escape("<a href=\"x\">&'"), "&lt;a href=&quot;x&quot;&gt;&amp;&#39;");
}

TEST(StudiesReport, ScalesHaveRoundTicks) {
  const report::Scale scale(-0.013, 0.042, 0, 110);
  EXPECT_DOUBLE_EQ(scale(-0.013), 0);
  EXPECT_DOUBLE_EQ(scale(0.042), 110);
  std::vector<std::string> labels;
  for (double tick : scale.ticks(5)) labels.push_back(scale.label(tick, 5));
  EXPECT_EQ(labels, (std::vector<std::string>{"0.00", "0.02", "0.04"}));
  EXPECT_GE(report::Scale(2, 2, 0, 1).ticks(4).size(), 2u);  // an empty range is widened
}

}  // namespace
}  // namespace absorb
