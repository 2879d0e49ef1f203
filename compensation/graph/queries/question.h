// A query put to one view, as functions of the links' values: so that the mean graph, every seed's graph and every
// random-edge graph can be asked the same. One function for each query but agreement and compare, which look at several
// measures or runs.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "compensation/graph/queries/queries.h"
#include "compensation/graph/queries/view.h"

namespace absorb {

/// [rows x columns], or one for each of `whole_names`.
using Numbers = std::vector<double>;
using Ask = std::function<Numbers(const LinkValues&)>;

/// A column that is the ratio cross / (own + cross) of two others.
struct ShareColumns {
  std::size_t own = 0, cross = 0, share = 0;
};

/// What a null of a question's own gives for [rows x columns]: the mean of its graphs, and p; NaN where it gives none.
struct NullNumbers {
  Numbers baseline, p;
};
using Null = std::function<NullNumbers(int64_t draws, Random)>;

/// Holds on to the view that it was made of: keep that alive.
struct Question {
  std::string sentence = {};
  bool exploratory = false;
  std::vector<QueryColumn> columns = {};
  std::vector<bool> fixed = {};  // [columns]: a count that no values change, without error and baseline; empty: none
  std::vector<std::string> labels = {};  // of the rows that the mean graph gives
  Ask numbers = {};                      // these rows in other values
  Ask random = {};                       // what a random-edge graph has in their place; empty: `numbers`
  Null null = {};                        // stands in for random-edge graphs; empty: these
  Ask errors = {};                       // standard errors of one graph from those of its edges; empty: not known
  std::optional<ShareColumns> share = {};
  std::vector<std::size_t> permuted = {};     // links whose values a random-edge graph shuffles
  double passes = 1;                          // work of one asking, in passes over the links
  std::vector<std::string> whole_names = {};  // of a graph's whole numbers, with their units
  Ask whole = {};                             // what compare compares
  std::vector<std::string> notes = {};
};

Question share_question(const GraphView& view, const QueryRequest& request);
Question sharing_question(const GraphView& view, const QueryRequest& request);
Question paths_question(const GraphView& view, const QueryRequest& request);
Question hubs_question(const GraphView& view, const QueryRequest& request);
Question containment_question(const GraphView& view, const QueryRequest& request);
Question capacity_question(const GraphView& view, const QueryRequest& request);
Question cut_question(const GraphView& view, const QueryRequest& request);
Question groups_question(const GraphView& view, const QueryRequest& request);

/// Where each of these is found: name, question, and the measures it usually asks, the first that exists.
struct QueryKind {
  std::string name;
  Question (*question)(const GraphView&, const QueryRequest&);
  std::vector<std::string_view> usual;
};
const std::vector<QueryKind>& query_kinds();

/// Asks the mean graph, the seeds' graphs and `draws` random-edge graphs (absent: as many as the work allows).
QueryResult answer(const std::string& name, const Question& question, const GraphView& view,
                   std::optional<int64_t> draws);
/// How many random-edge graphs are asked, where each costs `work` visits of links.
int64_t baseline_draws(double work, std::optional<int64_t> wanted);
/// Value, error and interval over seeds, and what the draws gave. NaN among the draws are left out.
QueryNumber number_of(double value, const std::vector<double>& by_seed, const std::vector<double>& random);

/// Exp of the entropy of shares proportional to the positive ones of `values`: how many there effectively are. NaN
/// without any.
double effective_number(const std::vector<double>& values);
/// Places of all links.
std::vector<std::size_t> all_links(const GraphView& view);
/// Whether one of the node's parts is a router.
bool is_router_node(const GraphNode& node);

/// Where flows and containment begin.
struct Source {
  std::string label;
  std::vector<std::size_t> vertices;
};
/// `from`, or all routers that links leave together and then each alone (at most `count`). UserError where there is
/// none, with the list of nodes.
std::vector<Source> sources_of(const GraphView& view, const QueryRequest& request);

/// The predicted and measured edges of a run, by rank.
QueryResult agreement(const CompensationGraph& graph, const QueryRequest& request);

}  // namespace absorb
