#include "compensation/graph/graph.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>

#include "compensation/graph/nodes.h"
#include "core/error.h"
#include "core/numbers.h"

namespace absorb {
namespace {

CompensationGraph small_graph(const std::string& arm = "learned") {
  CompensationGraph graph;
  for (const GraphNode& node : {GraphNode{"1.attention_router", 1, "attention_router"},
                                {"1.q+k+v+o", 1, "q+k+v+o"},
                                {"3.block", 3, "block"},
                                {"embedding", -1, "embedding"},
                                {"norm", -1, "norm"}})
    graph.add_node(node);
  const auto edge = [&](const std::string& to, double value, double error) {
    graph.add_edge({"1.attention_router", to, value, error, 16, "recovery_unmatched", arm, "attention", 2});
  };
  edge("1.attention_router", 5, 0.1);
  edge("1.q+k+v+o", 0.1, 0.01);
  edge("3.block", 1.0 / 3, 0.02);
  edge("embedding", 7, 0.1);
  edge("norm", -0.05, nan);
  return graph;
}

template <class Write>
std::string written(const Write& write) {
  std::ostringstream out;
  write(out);
  return out.str();
}

/// Reads the name of each tag, and fails where tags don't nest or a quote or an entity is left open.
std::vector<std::string> tags_of_xml(const std::string& text) {
  std::vector<std::string> open, seen;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t begin = text.find('<', at), end = text.find('>', at);
    const std::string between = text.substr(at, begin == std::string::npos ? begin : begin - at);
    for (std::size_t amp = between.find('&'); amp != std::string::npos; amp = between.find('&', amp + 1))
      EXPECT_LT(between.find(';', amp), amp + 7) << "a bare & in " << between;
    if (begin == std::string::npos) break;
    EXPECT_LT(begin, end) << "a > without <";
    const std::string tag = text.substr(begin + 1, end - begin - 1);
    EXPECT_EQ(tag.find('<'), std::string::npos) << tag;
    EXPECT_EQ(std::count(tag.begin(), tag.end(), '"') % 2, 0) << tag;
    const std::string name = tag.substr(0, tag.find_first_of(" \n/?", 1));
    if (tag[0] == '/') {
      EXPECT_FALSE(open.empty() || open.back() != name.substr(1)) << tag;
      if (!open.empty()) open.pop_back();
    } else if (tag[0] != '?') {
      seen.push_back(name);
      if (tag.back() != '/') open.push_back(name);
    }
    at = end + 1;
  }
  EXPECT_TRUE(open.empty());
  return seen;
}

TEST(CompensationGraph, KeepsOrderAndParallelEdges) {
  CompensationGraph graph = small_graph();
  graph.add_node({"3.block", 3, "block"});
  graph.add_edge({"1.attention_router", "3.block", 0.2, 0.02, 16, "recovery_unmatched", "random", "attention", 2});
  EXPECT_EQ(graph.nodes().size(), 5U);
  EXPECT_EQ(graph.nodes()[2].name, "3.block");
  EXPECT_EQ(graph.edges().size(), 6U);
  EXPECT_EQ(graph.edges({.arm = "random"}).size(), 1U);
  EXPECT_EQ(graph.edges({.measure = "coupling"}).size(), 0U);
  EXPECT_EQ(graph.edges({.seed = 2}).size(), 6U);
  const auto strongest = graph.strongest(3);
  ASSERT_EQ(strongest.size(), 3U);
  EXPECT_EQ(strongest[0].to, "embedding");
  EXPECT_EQ(strongest[2].value, 1.0 / 3);
}

TEST(CompensationGraph, RefusesWhatMakesNoSense) {
  CompensationGraph graph = small_graph();
  EXPECT_THROW(graph.add_node({"3.block", 4, "block"}), InternalError);
  EXPECT_THROW(graph.add_edge({"3.block", "4.block", 1, 0, 1, "m", "a", "t", 1}), InternalError);
  EXPECT_THROW(graph.add_edge({"3.block", "norm", nan, 0, 1, "m", "a", "t", 1}), InternalError);
}

TEST(CompensationGraph, OwnAndCrossLeaveOutTheRouterAndTheEmbedding) {
  CompensationGraph graph;
  for (const GraphNode& node : small_graph().nodes()) graph.add_node(node);
  for (GraphEdge edge : small_graph().edges()) {
    if (std::isnan(edge.standard_error)) edge.standard_error = 0.01;
    graph.add_edge(edge);
    edge.seed = 3;
    edge.standard_error = 0.1;
    graph.add_edge(edge);
  }
  const auto rows = graph.own_and_cross();
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].from, "1.attention_router");
  EXPECT_DOUBLE_EQ(rows[0].own, 0.1);
  EXPECT_DOUBLE_EQ(rows[0].cross, 1.0 / 3 - 0.05);
  EXPECT_DOUBLE_EQ(rows[0].cross_error, 0.03);
  EXPECT_DOUBLE_EQ(rows[0].share.value(), (1.0 / 3 - 0.05) / (1.0 / 3 + 0.05));
  EXPECT_FALSE(rows[1].share);  // 0.38 nats are within 2 x 0.3
}

TEST(CompensationGraph, NodesOfGroupsNameLayerAndParts) {
  EXPECT_EQ(node_of({"module", {{2, Part::q, 0}, {2, Part::k, 0}, {2, Part::o, 0}}}).name, "2.q+k+o");
  EXPECT_EQ(node_of({"module", {{2, Part::expert, 0}, {2, Part::expert, 1}}}).name, "2.expert");
  EXPECT_EQ(node_of({"block.4", {{4, Part::q, 0}, {4, Part::norm, 0}}}).name, "4.block");
  EXPECT_EQ(node_of({"embedding", {{-1, Part::embedding, 0}, {-1, Part::embedding, 1}}}).name, "embedding");
  EXPECT_THROW(node_of({"cross", {{1, Part::q, 0}, {2, Part::q, 0}}}), InternalError);
}

TEST(CompensationGraphExport, GraphmlIsWellFormedWithAllAttributes) {
  const CompensationGraph graph = small_graph("a <b> & \"c\"");
  const std::string text = written([&](auto& out) { graph.write_graphml(out); });
  const auto tags = tags_of_xml(text);
  const auto count = [&](const std::string& tag) { return std::count(tags.begin(), tags.end(), tag); };
  EXPECT_EQ(count("graphml"), 1);
  EXPECT_EQ(count("node"), 5);
  EXPECT_EQ(count("edge"), 5);
  EXPECT_EQ(count("key"), 3 + 8);
  EXPECT_EQ(count("data"), 5 * 3 + 5 * 8);
  for (const char* key :
       {"name", "layer", "part", "value", "standard_error", "samples", "measure", "arm", "target", "seed", "directed"})
    EXPECT_NE(text.find("attr.name=\"" + std::string(key) + "\""), std::string::npos) << key;
  EXPECT_NE(text.find("edgedefault=\"directed\""), std::string::npos);
  EXPECT_NE(text.find("a &lt;b&gt; &amp; &quot;c&quot;"), std::string::npos);
  EXPECT_NE(text.find(">NaN<"), std::string::npos);
  EXPECT_NE(text.find(">0.3333333333333333<"), std::string::npos);
}

TEST(CompensationGraphExport, DotTellsOwnFromCross) {
  const std::string text = written([&](auto& out) { small_graph("a \"b\"").write_dot(out); });
  EXPECT_EQ(text.rfind("digraph G {", 0), 0U);
  EXPECT_NE(text.find("label=\"3.block\""), std::string::npos);
  const auto count = [&](const std::string& what) {
    std::size_t found = 0;
    for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++found;
    return found;
  };
  EXPECT_EQ(count("style=solid"), 2U);
  EXPECT_EQ(count("style=dashed"), 1U);
  EXPECT_EQ(count("style=dotted"), 2U);
  EXPECT_EQ(count("penwidth=5.00"), 1U);
  EXPECT_EQ(count("penwidth=0.50"), 1U);
  EXPECT_NE(text.find("a \\\"b\\\""), std::string::npos);
}

TEST(CompensationGraphExport, SayWhatHasNoDirection) {
  CompensationGraph graph = small_graph();
  graph.add_edge({"1.q+k+v+o", "3.block", 0.25, 0.01, 64, "coupling", "learned", "attention", 2});
  const std::string dot = written([&](auto& out) { graph.write_dot(out); });
  EXPECT_NE(dot.find("[style=dashed, dir=none, penwidth=5.00, label=\"0.2500\""), std::string::npos) << dot;
  EXPECT_EQ(dot.find("dir=none"), dot.rfind("dir=none"));
  EXPECT_NE(dot.find("coupling of learned attention seed 2: 0.25 1"), std::string::npos) << dot;
  EXPECT_NE(dot.find("recovery_unmatched of learned attention seed 2: 7 nats per token"), std::string::npos) << dot;
  EXPECT_NE(written([&](auto& out) { graph.write_csv(out); }).find("coupling,learned,attention,2,false\n"),
            std::string::npos);
  const auto json = nlohmann::json::parse(written([&](auto& out) { graph.write_json(out); }));
  EXPECT_EQ(json["links"][0]["directed"], true);
  EXPECT_EQ(json["links"][5]["directed"], false);
  const std::string graphml = written([&](auto& out) { graph.write_graphml(out); });
  EXPECT_NE(graphml.find("attr.name=\"directed\" attr.type=\"boolean\""), std::string::npos) << graphml;
  EXPECT_NE(graphml.find(">false<"), std::string::npos);
  EXPECT_EQ(graphml.find(">false<"), graphml.rfind(">false<"));
}

TEST(CompensationGraph, MeasuresHaveUnitsAndDirections) {
  EXPECT_EQ(measure_info("recovery").unit, "nats per token");
  EXPECT_FALSE(measure_info("curvature").directed);
  EXPECT_FALSE(measure_info("co_ablation").directed);
  EXPECT_TRUE(measure_info("drift").self_loop);
  EXPECT_TRUE(measure_info("another").directed);
  EXPECT_EQ(edge_names().size(), 12U);
}

TEST(CompensationGraphExport, CsvQuotesOnlyWhereItMust) {
  const std::string text = written([&](auto& out) { small_graph("a,\"b\"").write_csv(out); });
  EXPECT_EQ(text.substr(0, text.find('\n')), "from,to,value,standard_error,samples,measure,arm,target,seed,directed");
  EXPECT_NE(text.find("1.attention_router,3.block,0.3333333333333333,0.02,16,recovery_unmatched,\"a,\"\"b\"\"\","
                      "attention,2,true\n"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find(",norm,-0.05,,16,"), std::string::npos) << text;
}

TEST(CompensationGraphExport, JsonReadsBack) {
  const CompensationGraph graph = small_graph();
  const std::string text = written([&](auto& out) { graph.write_json(out); });
  const CompensationGraph read = CompensationGraph::from_json(text, "graph.json");
  EXPECT_EQ(written([&](auto& out) { read.write_json(out); }), text);
  EXPECT_EQ(written([&](auto& out) { read.write_csv(out); }), written([&](auto& out) { graph.write_csv(out); }));
  EXPECT_TRUE(std::isnan(read.edges().back().standard_error));
  const auto json = nlohmann::json::parse(text);
  EXPECT_EQ(json["links"][2]["target"], "3.block");
  EXPECT_EQ(json["links"][2]["run_target"], "attention");
  EXPECT_EQ(json["nodes"][2]["id"], "3.block");
}

TEST(CompensationGraphExport, AnotherVersionIsTheUsersError) {
  const auto message = [](const std::string& text) -> std::string {
    try {
      CompensationGraph::from_json(text, "graph.json");
    } catch (const UserError& error) {
      return error.what();
    }
    return "";
  };
  auto json = nlohmann::json::parse(written([&](auto& out) { small_graph().write_json(out); }));
  json["format"] = 1;
  EXPECT_EQ(message(json.dump()),
            "graph.json is a compensation graph of format 1, and this program reads format 2: export it again");
  json["format"] = 2;
  json["links"][0]["source"] = "nowhere";
  EXPECT_NE(message(json.dump()).find("damaged"), std::string::npos);
  EXPECT_NE(message("{}").find("no compensation graph"), std::string::npos);
  EXPECT_NE(message("<graphml/>").find("no compensation graph"), std::string::npos);
}

}  // namespace
}  // namespace absorb
