#include <gtest/gtest.h>

#include <map>
#include <regex>

#include "studies/analysis/wording.h"
#include "studies/report/figures/chart.h"
#include "studies/report/figures/svg.h"
#include "studies/report/page/html.h"
#include "studies/report/page/page.h"
#include "tests/studies/synthetic.h"

namespace absorb {
namespace {

std::string page(const Study& study, const std::vector<RunRecord>& records) {
  return report_page({study, synthetic::words(), records, synthetic::rich_analysis(study, records), {}});
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
  for (const auto& [prefix, figures] : std::map<std::string, size_t>{{"forest", 1},      // one for all
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
  EXPECT_NE(html.find(synthetic::words().training), std::string::npos);
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

/// The figure with that id.
std::string svg_of(const std::string& html, const std::string& id) {
  const size_t begin = html.find("<title id=\"" + id + "-title\"");
  return begin == std::string::npos ? "" : html.substr(begin, html.find("</svg>", begin) - begin);
}

std::vector<std::string> matches(const std::string& text, const std::string& pattern) {
  const std::regex regex(pattern);
  std::vector<std::string> out;
  for (std::sregex_iterator it(text.begin(), text.end(), regex), end; it != end; ++it) out.push_back((*it)[1]);
  return out;
}

TEST(StudiesReport, HeatMapSquaresShowTheirCosts) {
  const Study study = synthetic::rich_study();
  const std::vector<RunRecord> records = synthetic::rich_records();
  const StudyAnalysis analysis = synthetic::rich_analysis(study, records);
  const std::string svg = svg_of(report_page({study, {}, records, analysis, {}}), "transplant0");
  std::vector<std::string> costs;
  for (const DeploymentSummary& row : analysis.deployments)  // by arm, then by key: learned, random, random2
    if (row.target == "attention" && row.deployment == "transplant")
      costs.push_back(report::typeset(number(row.cost.mean, 3)));
  ASSERT_EQ(costs.size(), 9u);
  EXPECT_EQ(matches(svg, "class=\"value\" text-anchor=\"middle\">([^<]*)<"), costs);
  EXPECT_EQ(occurrences(svg, "class=\"diagonal\""), 3u);
  EXPECT_EQ(occurrences(svg, "class=\"heat gain "), 1u);  // random does better under the routers of random2
  EXPECT_NE(svg.find(">attention: transplant</text>"), std::string::npos);
}

TEST(StudiesReport, HardeningLinesHaveAPointForEveryNumberOfLayers) {
  const std::string svg = svg_of(page(synthetic::rich_study(), synthetic::rich_records()), "hardening0");
  const std::vector<std::string> lines = matches(svg, "<polyline points=\"([^\"]*)\"");
  ASSERT_EQ(lines.size(), 3u);                                                          // arms
  for (const std::string& line : lines) EXPECT_EQ(occurrences(line, ","), 7u) << line;  // 6 layers
  EXPECT_NE(svg.find(">learned</text>"), std::string::npos);
  EXPECT_NE(svg.find(">attention (n\u00A0=\u00A05)</text>"), std::string::npos);
}

TEST(StudiesReport, DosesSayTheirSlopes) {
  const Study study = synthetic::rich_study();
  const std::vector<RunRecord> records = synthetic::rich_records();
  const StudyAnalysis analysis = synthetic::rich_analysis(study, records);
  const std::string html = report_page({study, {}, records, analysis, {}});
  ASSERT_FALSE(analysis.doses.empty());
  for (const DoseResult& row : analysis.doses) {
    const std::string slope = report::typeset(signed_number(row.slope) + " " + bracketed(row.ci95));
    EXPECT_NE(html.find(row.target + " " + slope), std::string::npos) << row.target << slope;
  }
  EXPECT_EQ(occurrences(svg_of(html, "dose0"), "<circle "), 5u);  // four ranks in attention, and the key
  EXPECT_NE(svg_of(html, "dose3").find(">2400</text>"), std::string::npos);
}

TEST(StudiesReport, GradientsThatAreExactlyZeroAreNamed) {
  const std::string html = page(synthetic::rich_study(), synthetic::rich_records());
  EXPECT_EQ(occurrences(html, ">attention router: exactly 0 at every step; v: exactly 0 at 5 of 250 accounts. Router "),
            1u);
  EXPECT_EQ(occurrences(svg_of(html, "account0"), ">attention router</text>"), 0u);  // without a logarithm
  EXPECT_EQ(occurrences(svg_of(html, "account6"), ">attention router</text>"), 1u);  // both, learned
  for (const std::string& line : matches(svg_of(html, "account0"), "<polyline points=\"([^\"]*)\""))
    EXPECT_LE(occurrences(line, ","), 40u);
}

TEST(StudiesReport, NoSectionWithoutItsData) {
  const Study study = synthetic::small_study();
  const std::vector<RunRecord> records = synthetic::small_records();
  const std::string html = report_page({study, {}, records, analyse(study, records, {}), {}});
  for (const char* id : {"doses", "deployments", "gradients"})
    EXPECT_EQ(html.find(std::string("<section id=\"") + id), std::string::npos) << id;
}

/// 9 arms in 3 targets with 5 seeds; for each 21 deployments with partial hardening and a transplant of 9.
TEST(StudiesReport, ManyDeploymentsStayBelowFiveMegabytes) {
  Study study = synthetic::rich_study();
  study.arms.clear();
  std::vector<std::string> arms;
  for (int i = 0; i < 9; ++i) arms.push_back("an_arm_with_a_name_" + std::to_string(i));
  for (const std::string& arm : arms) study.arms.push_back({arm, {}, {}});
  study.contrasts = {synthetic::contrast("gap", arms[0], arms[1])};
  std::vector<RunRecord> records;
  for (int64_t seed = 1; seed <= 5; ++seed)
    for (const std::string target : {"attention", "moe", "both"})
      for (const std::string& arm : arms) {
        RunRecord record = synthetic::routed(arm, target, seed, 1.5 + 0.01 * static_cast<double>(seed), 0.3);
        const auto number = static_cast<double>(records.size());
        synthetic::dress(record, number);
        synthetic::add_deployments(record, arms, 12, number);
        const DeployedRecord hard = record.deployments["hard"];
        for (int i = 1; i <= 20; ++i)
          (record.deployments["hard" + std::to_string(i)] = hard).deployment = "hard" + std::to_string(i);
        synthetic::add_accounts(record, 50, number);
        records.push_back(std::move(record));
      }
  const StudyAnalysis analysis = analyse(study, records, {});
  EXPECT_EQ(analysis.deployments.size(), 30u * arms.size() * 3);
  const std::string html = report_page({study, {}, records, analysis, {}});
  EXPECT_LT(html.size(), 5'000'000u);
  for (const char* summary :
       {"Costs of every deployment", "Table of every deployment", "Partial hardening of the other"})
    EXPECT_EQ(occurrences(html, std::string("<summary>") + summary), 1u) << summary;
  EXPECT_EQ(occurrences(html, "<title id=\"hardening"), 63u);
}

TEST(StudiesReport, TypesetsSignsButNotNamesAndDates) {
  EXPECT_EQ(report::typeset("-0.5 +/- 0.1"), "\u22120.5 \u00B1 0.1");
  EXPECT_EQ(report::typeset("[-1, 2]"), "[\u22121, 2]");
  EXPECT_EQ(report::typeset("arm-1, 1e-5, 2026-01-31"), "arm-1, 1e-5, 2026-01-31");
  EXPECT_EQ(report::typeset("frozen = true (n = 5)"), "frozen = true (n\u00A0=\u00A05)");
  EXPECT_EQ(report::typeset("-"), "\u2013");
  EXPECT_EQ(report::escape("<a href=\"x\">&'"), "&lt;a href=&quot;x&quot;&gt;&amp;&#39;");
}

TEST(StudiesReport, LongNamesKeepBothTheirEnds) {
  EXPECT_EQ(report::shortened("random_attention", 16), "random_attention");
  EXPECT_EQ(report::shortened("random_attention_1", 11), "rando\u2026ion_1");
  EXPECT_EQ(report::shortened("\u00e4\u00e4\u00e4\u00e4\u00e4", 6), "\u00e4\u00e4\u2026\u00e4");
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
