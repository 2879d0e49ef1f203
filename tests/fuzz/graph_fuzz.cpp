// A compensation graph that --export json wrote, and a measurement: each is read, asked and written again.
#include <sstream>

#include "compensation/graph/graph.h"
#include "compensation/graph/queries/queries.h"
#include "compensation/measures/measurement.h"
#include "tests/fuzz/fuzz.h"

using namespace absorb;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::text_of(data, size);
  fuzz::expect_answer([&] {
    const CompensationGraph graph = CompensationGraph::from_json(text, "input");
    std::ostringstream json, csv, dot, graphml;
    graph.write_json(json);
    graph.write_csv(csv);
    graph.write_dot(dot);
    graph.write_graphml(graphml);
    const CompensationGraph again = CompensationGraph::from_json(json.str(), "written");
    if (again.edges().size() != graph.edges().size()) std::abort();
    if (graph.edges().size() > 200) return;
    for (const std::string& query : query_names())
      fuzz::expect_answer([&] {
        QueryRequest request;
        request.query = query;
        run_query(graph, request);
      });
  });
  fuzz::expect_answer([&] { load_measurement(fuzz::written("m.json", text)); });
  return 0;
}
