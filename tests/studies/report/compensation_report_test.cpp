#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <regex>
#include <set>

#include "studies/analysis/compensation/summaries.h"
#include "studies/analysis/wording.h"
#include "studies/report/compensation/layout.h"
#include "studies/report/compensation/script.h"
#include "studies/report/page/html.h"
#include "studies/report/page/page.h"
#include "studies/report/text/compensation_table.h"
#include "studies/report/text/table.h"
#include "tests/studies/synthetic.h"
#include "tests/studies/synthetic_compensation.h"

namespace absorb {
namespace {

std::string page(const CompensationResults& compensation) {
  const Study study = synthetic::small_study();
  const std::vector<RunRecord> records = synthetic::small_records();
  return report_page({study, {}, records, analyse(study, records, {}), compensation});
}

std::vector<std::string> matches(const std::string& text, const std::string& pattern) {
  const std::regex regex(pattern);
  std::vector<std::string> out;
  for (std::sregex_iterator it(text.begin(), text.end(), regex), end; it != end; ++it) out.push_back((*it)[1]);
  return out;
}

/// The figure with that id, from its title on.
std::string svg_of(const std::string& html, const std::string& id) {
  const size_t begin = html.find("<title id=\"" + id + "-title\"");
  return begin == std::string::npos ? "" : html.substr(begin, html.find("</svg>", begin) - begin);
}

TEST(StudiesCompensationReport, NothingOfItWithoutMeasurements) {
  const std::string html = page({});
  EXPECT_EQ(html.find("<section id=\"compensation\""), std::string::npos);
  EXPECT_EQ(html.find("<script"), std::string::npos);
  EXPECT_EQ(html.find("script-src"), std::string::npos);
}

TEST(StudiesCompensationReport, EveryAnchorHasItsPlace) {
  const std::string html = page(synthetic::compensation());
  std::set<std::string> ids;
  for (const std::string& id : matches(html, " id=\"([^\"]*)\"")) EXPECT_TRUE(ids.insert(id).second) << "twice: " << id;
  const std::vector<std::string> anchors = matches(html, "href=\"#([^\"]*)\"");
  for (const std::string& anchor : anchors) EXPECT_TRUE(ids.contains(anchor)) << anchor;
  for (const char* how :
       {"how-recovery", "how-components", "how-coupling", "how-drift", "how-attribution", "how-queries"})
    EXPECT_TRUE(std::find(anchors.begin(), anchors.end(), how) != anchors.end()) << how;
}

TEST(StudiesCompensationReport, EveryFigureAndTableSaysHowItWasMeasured) {
  const std::string html = page(synthetic::compensation());
  const size_t begin = html.find("<section id=\"compensation\"");
  const std::string section = html.substr(begin, html.find("</section>", begin) - begin);
  const std::vector<std::string> captions = matches(section, "<figcaption>([^]*?)</figcaption>");
  EXPECT_GE(captions.size(), 10u);
  for (const std::string& caption : captions) EXPECT_NE(caption.find("href=\"#how-"), std::string::npos) << caption;
}

/// SHA-256 of a text in base64 by a program of this machine; empty where there is none.
std::string sha256(const std::string& text) {
  const Path file = std::filesystem::temp_directory_path() / fmt::format("absorb-script-{}", ::getpid());
  write_file(file, text);
  const std::string python =
      "python3 -c \"import "
      "base64,hashlib,sys;print(base64.b64encode(hashlib.sha256(open(sys.argv[1],'rb').read()).digest()"
      ").decode())\" ";
  std::string out;
  for (const std::string& command :
       {python + file.string(), "openssl dgst -sha256 -binary " + file.string() + " | openssl base64"}) {
    FILE* pipe = popen((command + " 2>/dev/null").c_str(), "r");
    std::array<char, 256> buffer{};
    out = pipe != nullptr && fgets(buffer.data(), buffer.size(), pipe) != nullptr ? buffer.data() : "";
    if (pipe != nullptr) pclose(pipe);
    if (out.size() >= 44) break;
  }
  std::filesystem::remove(file);
  return out.substr(0, 44);
}

TEST(StudiesCompensationReport, ThePolicyAllowsTheScriptOfThePageAlone) {
  const std::string html = page(synthetic::compensation());
  const std::vector<std::string> scripts = matches(html, "<script>([^]*?)</script>");
  ASSERT_EQ(scripts.size(), 1u);
  EXPECT_EQ(scripts[0], report::slider_script);
  EXPECT_NE(html.find(fmt::format("script-src '{}'", report::slider_script_hash)), std::string::npos);
  EXPECT_FALSE(std::regex_search(html, std::regex("<script |unsafe-eval|script-src 'unsafe| on[a-z]+=")));
  const std::string hash = sha256(scripts[0]);
  if (hash.empty()) GTEST_SKIP() << "neither python3 nor openssl on this machine";
  EXPECT_EQ("sha256-" + hash, report::slider_script_hash) << "slider_script changed: this is its hash now";
}

TEST(StudiesCompensationReport, BarsAndTableHoldTheAttribution) {
  const CompensationResults results = synthetic::compensation();
  ASSERT_EQ(results.attributions.size(), 2u);
  const std::string html = page(results);
  for (size_t i = 0; i < 2; ++i) {
    const std::string svg = svg_of(html, fmt::format("attribution{}", i));
    EXPECT_EQ(matches(svg, "class=\"(bar target-attention)\"").size(), 5u);  // four quantities and the key
    for (const AttributionRow& row : results.attributions[i].rows) {
      const std::string difference = report::typeset(signed_number(row.mean, row.unit == "nats" ? nats_digits : 3));
      EXPECT_NE(html.find("<td class=\"num\">" + difference + "</td>"), std::string::npos) << row.quantity;
      if (row.unit == "nats") {
        EXPECT_NE(svg.find(">" + difference), std::string::npos) << row.quantity;
      }
    }
    EXPECT_NE(html.find(report::typeset(claim_answer(results.attributions[i]))), std::string::npos);
  }
  EXPECT_EQ(results.attributions[0].verdict, "supported");
  EXPECT_NE(html.find("<span class=\"tag decided\">supported</span><span class=\"tag\">compensation</span>"),
            std::string::npos);  // among the answers
  EXPECT_NE(html.find("moe seed 3, 1.expert_router: the disturbance costs 0.000100 nats"), std::string::npos);
}

TEST(StudiesCompensationReport, WeakEdgesAreHiddenUntilTheSliderShowsThem) {
  const std::string html = page(synthetic::compensation(6));
  for (const std::string target : {"attention", "moe", "both"}) {
    const std::string svg = svg_of(html, "graph-components-" + target);
    const size_t all = matches(svg, "(class=\"edge [^\"]*\")").size(),
                 weak = matches(svg, "(class=\"edge [^\"]*weak\")").size();
    EXPECT_EQ(all, 120u);
    EXPECT_LE(all - weak, 18u);
  }
  const auto begins = matches(html, "value=\"([0-9]+)\" autocomplete=\"off\" data-graph=\"graph-components\"");
  ASSERT_EQ(begins.size(), 1u);
  const double threshold = std::stod(begins[0]);
  const std::string svg = svg_of(html, "graph-components-both");
  for (const std::string& share : matches(svg, "class=\"edge [a-z]+ weak\" data-share=\"([0-9.]+)\""))
    EXPECT_LT(std::stod(share), threshold);
  for (const std::string& share : matches(svg, "class=\"edge [a-z]+\" data-share=\"([0-9.]+)\""))
    EXPECT_GE(std::stod(share), threshold);
}

TEST(StudiesCompensationReport, EdgesWithinAndBetweenLayersDifferInMoreThanColour) {
  const std::string svg = svg_of(page(synthetic::compensation()), "graph-recovery-attention");
  // 3 routers: to themselves, module and rest; to two other layers; to embedding and final norm.
  EXPECT_EQ(matches(svg, "(class=\"edge own)").size(), 9u);
  EXPECT_EQ(matches(svg, "(class=\"edge cross)").size(), 6u);
  EXPECT_EQ(matches(svg, "(class=\"edge outside)").size(), 6u);
  const std::string html = page(synthetic::compensation());
  EXPECT_NE(html.find(".edge.cross .wire{stroke-dasharray:"), std::string::npos);
  EXPECT_EQ(matches(svg, "(class=\"tip\")").size(), 21u);  // recovery has a direction
  EXPECT_EQ(matches(svg_of(html, "graph-coupling-moe"), "(class=\"tip\")").size(), 0u);
}

TEST(StudiesCompensationReport, TwinsShareOneScaleAndTheirLayersOneHeight) {
  const CompensationResults results = synthetic::compensation(4);
  for (const char* measure : {"recovery", "coupling"}) {
    const report::GraphLayout layout = report::lay_out(results, measure, 120);
    ASSERT_EQ(layout.panels.size(), 3u);
    for (const report::Panel& panel : layout.panels) {
      ASSERT_EQ(panel.layers.size(), 4u);
      for (size_t i = 0; i < 4; ++i) EXPECT_EQ(panel.layers[i].second.y, layout.panels[0].layers[i].second.y);
    }
  }
  // A width of 7 is the largest value of all panels, so that it stands in one of them alone.
  const std::string html = page(results);
  size_t widest = 0;
  for (const std::string target : {"attention", "moe", "both"})
    widest += matches(svg_of(html, "graph-recovery-" + target), "(stroke-width:7.00)").empty() ? 0 : 1;
  EXPECT_GE(widest, 1u);
  EXPECT_LE(widest, 2u);  // attention and both hold the same routers here
}

TEST(StudiesCompensationReport, NoBoxesOrLabelsOverlap) {
  for (const char* measure : {"recovery", "components"})
    for (const report::Panel& panel : report::lay_out(synthetic::compensation(6), measure, 120).panels)
      for (size_t i = 0; i < panel.nodes.size(); ++i) {
        const report::Box& box = panel.nodes[i].box;
        EXPECT_GE(box.x, 0);
        EXPECT_LE(box.x + box.width, 328);
        for (size_t j = 0; j < i; ++j)
          if (!panel.nodes[i].label.empty() && !panel.nodes[j].label.empty()) {
            EXPECT_FALSE(box.meets(panel.nodes[j].box)) << panel.nodes[i].node.name << " " << panel.nodes[j].node.name;
          }
      }
}

TEST(StudiesCompensationReport, CurvesHaveAPointForEveryStepAndDimension) {
  const CompensationResults results = synthetic::compensation();
  const std::vector<RecoveryCurve> curves = recovery_curves(results);
  ASSERT_EQ(curves.size(), 4u);
  std::vector<int64_t> steps, dimensions;
  for (const RecoveryPoint& point : curves[0].over_steps) steps.push_back(point.at);
  for (const RecoveryPoint& point : curves[0].over_dimensions) dimensions.push_back(point.at);
  EXPECT_EQ(steps, (std::vector<int64_t>{5, 10, 20}));
  EXPECT_EQ(dimensions, (std::vector<int64_t>{64, 256, 0}));  // all coordinates last
  // The headline's point is what the attribution rests on.
  EXPECT_DOUBLE_EQ(curves[0].over_steps[2].cross.mean, curves[0].over_dimensions[1].cross.mean);
  EXPECT_DOUBLE_EQ(curves[2].over_steps[2].cross.mean, summarize(results.attributions[1].rows[0].attention).mean);
  const std::string html = page(results);
  for (const char* id : {"steps0", "dimensions3"}) {
    const std::vector<std::string> lines = matches(svg_of(html, id), "<polyline points=\"([^\"]*)\" class=\"curve");
    ASSERT_EQ(lines.size(), 4u) << id;  // all, other layers, module, rest
    for (const std::string& line : lines) EXPECT_EQ(std::count(line.begin(), line.end(), ','), 3) << line;
  }
  EXPECT_FALSE(svg_of(html, "steps-share").empty());
}

TEST(StudiesCompensationReport, TheCurveOverTheDamageEndsWhereSwapsCostLess) {
  CompensationResults results = synthetic::compensation();
  const std::vector<RecoveryCurve> curves = recovery_curves(results);
  const auto points_of = [&](std::size_t curve) {
    std::vector<std::pair<double, int64_t>> points;  // damage, seeds
    for (const RecoveryPoint& point : curves[curve].over_damage) points.emplace_back(point.damage, point.all.n);
    return points;
  };
  using Points = std::vector<std::pair<double, int64_t>>;
  EXPECT_EQ(points_of(0), (Points{{0.02, 5}, {0.04, 5}, {0.08, 5}}));
  EXPECT_EQ(points_of(1), (Points{{0.02, 5}, {0.04, 5}, {0.08, 0}}));  // experts: no whole swap costs 0.08
  EXPECT_DOUBLE_EQ(curves[0].over_damage[0].cross.mean, curves[0].over_steps[2].cross.mean);
  EXPECT_FALSE(svg_of(page(results), "damage1").empty());
  EXPECT_FALSE(svg_of(page(results), "damage-share").empty());
  for (RunRecoveries& run : results.recoveries)
    for (RecoveryResult& result : run.results) result.doses.clear();
  EXPECT_EQ(page(results).find("compensation.damage_doublings"), std::string::npos);
}

TEST(StudiesCompensationReport, UndefinedSharesAreNamedAndNeverZero) {
  CompensationResults results = synthetic::compensation();
  for (RunRecoveries& run : results.recoveries)
    for (RecoveryResult& result : run.results)
      for (CrossLayerShare& share : result.capacities.front().shares) {
        result.dose_cost = {0.0001, 0.001, 512};
        share.share.reset();
        share.undefined = "the swap costs 0.000100 nats, within its noise";
      }
  results.attributions = attribute(results.recoveries);
  const std::string html = page(results), text = print_compensation(results);
  EXPECT_FALSE(std::regex_search(html + text, std::regex("\\b-?nan\\b|\\binf\\b")));
  EXPECT_NE(html.find("<td class=\"num\">0</td><td class=\"num\">\u2013</td>"), std::string::npos);  // n, share
  EXPECT_NE(html.find("undecided (n)"), std::string::npos);
  EXPECT_NE(html.find("no seed can be compared"), std::string::npos);
  EXPECT_NE(text.find("within its noise"), std::string::npos);
}

TEST(StudiesCompensationReport, OneSeedHasNoIntervalsButAPage) {
  const CompensationResults results = synthetic::compensation(2, 1);
  const std::string html = page(results), text = print_compensation(results);
  EXPECT_FALSE(std::regex_search(html + text, std::regex("\\b-?nan\\b|\\binf\\b")));
  EXPECT_EQ(html.find("class=\"edge own pale"), html.find("class=\"edge own pale\" style"));  // no interval, no claim
  EXPECT_NE(html.find("undecided (n)"), std::string::npos);
}

TEST(StudiesCompensationReport, TextIsEscaped) {
  CompensationResults results = synthetic::compensation();
  results.arm = "<b>arm";
  results.notes = {"<script>alert(1)</script>"};
  results.measurements[0].notes = {"a < b"};
  results.queries[0].question = "<i>?";
  results.queries[1].notes = {"<u>"};
  const std::string html = page(results);
  EXPECT_FALSE(std::regex_search(html, std::regex("<b>|<script>alert|a < b|<i>|<u>")));
  EXPECT_NE(html.find("&lt;b&gt;arm"), std::string::npos);
}

TEST(StudiesCompensationReport, LargeGraphsStayBelowFiveMegabytes) {
  EXPECT_LT(page(synthetic::compensation(12, 3)).size(), 3'000'000u);
}

TEST(StudiesCompensationReport, ExploratoryQuestionsAreMarked) {
  const std::string html = page(synthetic::compensation()), text = print_compensation(synthetic::compensation());
  EXPECT_NE(html.find("<figcaption>Exploratory, hubs: Which parts make up for most?"), std::string::npos);
  EXPECT_NE(html.find("<figcaption>agreement: Do predicted"), std::string::npos);
  EXPECT_NE(text.find("hubs (exploratory): Which"), std::string::npos);
  EXPECT_NE(text.find(" agreement: Do predicted"), std::string::npos);
}

}  // namespace
}  // namespace absorb
