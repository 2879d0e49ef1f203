// share and sharing: sums over the edges that leave or enter a component.
#include <algorithm>
#include <cmath>
#include <map>
#include <memory>

#include "compensation/graph/queries/question.h"
#include "core/error.h"
#include "core/numbers.h"

namespace absorb {
namespace {

/// One link, seen from one of its ends, in one row.
struct Contribution {
  std::size_t link = 0, row = 0;
  bool own = false;
};

struct ShareRows {
  std::vector<std::string> labels;
  std::vector<Contribution> contributions;
};

bool is_counted(const GraphNode& from, const GraphNode& to) {
  return from.layer >= 0 && !(to.layer < 0 && to.part == "embedding");
}

/// A row for each router, for each layer in which several components were disturbed, and for all together.
class ShareTable {
 public:
  explicit ShareTable(const GraphView& view) : view_(view) {
    each_end([&](std::size_t, std::size_t from, std::size_t) { sources_[view_.nodes[from].layer].push_back(from); });
    for (auto& [layer, sources] : sources_) {
      std::ranges::sort(sources);
      sources.erase(std::unique(sources.begin(), sources.end()), sources.end());
      for (std::size_t source : sources)
        if (is_router_node(view_.nodes[source])) router_rows_[source] = add_row(view_.nodes[source].name);
      if (sources.size() > 1) layer_rows_[layer] = add_row(fmt::format("layer {}", layer));
    }
    const std::size_t all = add_row("all");
    each_end([&](std::size_t link, std::size_t from, std::size_t to) {
      const int64_t layer = view_.nodes[from].layer;
      const bool own = view_.nodes[to].layer == layer;
      if (router_rows_.contains(from)) rows_.contributions.push_back({link, router_rows_[from], own});
      if (layer_rows_.contains(layer)) rows_.contributions.push_back({link, layer_rows_[layer], own});
      rows_.contributions.push_back({link, all, own});
    });
  }
  ShareRows rows() && { return std::move(rows_); }

 private:
  template <class Visit>
  void each_end(const Visit& visit) const {
    for (std::size_t i = 0; i < view_.links.size(); ++i) {
      const auto [from, to] = view_.links[i];
      if (is_counted(view_.nodes[from], view_.nodes[to])) visit(i, from, to);
      if (!view_.info.directed && is_counted(view_.nodes[to], view_.nodes[from])) visit(i, to, from);
    }
  }
  std::size_t add_row(std::string label) {
    rows_.labels.push_back(std::move(label));
    return rows_.labels.size() - 1;
  }

  const GraphView& view_;
  ShareRows rows_;
  std::map<int64_t, std::vector<std::size_t>> sources_;  // by layer
  std::map<std::size_t, std::size_t> router_rows_;       // by node
  std::map<int64_t, std::size_t> layer_rows_;
};

/// [rows x (own, cross, share)]
Numbers sums_of(const ShareRows& rows, const std::vector<double>& values) {
  Numbers result(3 * rows.labels.size());
  for (const auto& [link, row, own] : rows.contributions)
    if (!std::isnan(values[link])) result[3 * row + (own ? 0 : 1)] += values[link];
  for (std::size_t row = 0; row < rows.labels.size(); ++row) {
    const double sum = result[3 * row] + result[3 * row + 1];
    result[3 * row + 2] = sum > 0 ? result[3 * row + 1] / sum : nan;
  }
  return result;
}

/// Errors are added as if they went together: the edges share draws and held-out sequences.
Numbers errors_of(const ShareRows& rows, const LinkValues& values) {
  std::vector<double> errors(values.error.size(), nan);
  for (std::size_t i = 0; i < errors.size(); ++i)
    if (!std::isnan(values.value[i])) errors[i] = std::isnan(values.error[i]) ? 0 : values.error[i];
  std::vector<bool> unknown(rows.labels.size());
  for (const auto& [link, row, own] : rows.contributions)
    if (!std::isnan(values.value[link]) && std::isnan(values.error[link])) unknown[row] = true;
  Numbers result = sums_of(rows, errors);
  for (std::size_t row = 0; row < rows.labels.size(); ++row) {
    result[3 * row + 2] = nan;
    if (unknown[row]) result[3 * row] = result[3 * row + 1] = nan;
  }
  return result;
}

/// Links by the component that they enter, with the mark of both ends where there is no direction.
std::vector<std::vector<std::size_t>> entering_links(const GraphView& view) {
  std::vector<std::vector<std::size_t>> result(view.nodes.size());
  for (std::size_t i = 0; i < view.links.size(); ++i) {
    result[view.links[i].to].push_back(i);
    if (!view.info.directed) result[view.links[i].from].push_back(i);
  }
  return result;
}

struct SharingRows {
  std::vector<std::string> labels;
  std::vector<std::vector<std::size_t>> links;  // [components], entering
};

/// [rows x (effective sources, sources, made up)], the mean over all components last.
Numbers sharing_of(const SharingRows& rows, const LinkValues& values) {
  Numbers result;
  double weighted = 0, weights = 0, sources = 0;
  for (const auto& links : rows.links) {
    std::vector<double> entering;
    double sum = 0;
    for (std::size_t link : links) {
      entering.push_back(values.value[link]);
      sum += values.value[link] > 0 ? values.value[link] : 0;
    }
    const double effective = effective_number(entering);
    result.insert(result.end(), {effective, static_cast<double>(links.size()), sum});
    if (!std::isnan(effective)) weighted += sum * effective;
    weights += sum;
    sources += sum * static_cast<double>(links.size());
  }
  const double none = weights > 0 ? 1 : nan;
  result.insert(result.end(), {none * weighted / weights, none * sources / weights, weights});
  return result;
}

}  // namespace

Question share_question(const GraphView& view, const QueryRequest&) {
  const auto rows = std::make_shared<const ShareRows>(ShareTable(view).rows());
  require(!rows->contributions.empty(), "{} has no edges that leave a layer's component: ask of another --measure",
          view.measure);
  Question question{"How much of a layer's damage is made up for in the same layer, and how much across layers?"};
  question.columns = {
      {"own layer", std::string(view.info.unit)}, {"cross-layer", std::string(view.info.unit)}, {"share", "1"}};
  question.labels = rows->labels;
  question.numbers = [rows](const LinkValues& values) { return sums_of(*rows, values.value); };
  question.errors = [rows](const LinkValues& values) { return errors_of(*rows, values); };
  question.share = ShareColumns{0, 1, 2};
  for (const Contribution& contribution : rows->contributions)
    if (contribution.row + 1 == rows->labels.size()) question.permuted.push_back(contribution.link);
  std::ranges::sort(question.permuted);
  question.permuted.erase(std::unique(question.permuted.begin(), question.permuted.end()), question.permuted.end());
  question.passes = 2;
  for (const char* column : {"own layer", "cross-layer", "share"})
    for (const std::string& label : rows->labels)
      if (is_router_node({"", 0, label}) || label == "all")
        question.whole_names.push_back(fmt::format("{} of {}", column, label));
  question.whole = [rows](const LinkValues& values) {
    const Numbers all = sums_of(*rows, values.value);
    Numbers whole;
    for (std::size_t column = 0; column < 3; ++column)
      for (std::size_t row = 0; row < rows->labels.size(); ++row)
        if (is_router_node({"", 0, rows->labels[row]}) || rows->labels[row] == "all")
          whole.push_back(all[3 * row + column]);
    return whole;
  };
  question.notes = {
      "The edges of a node are separate measurements: what two groups could each make up for counts twice.",
      "The embedding and a node's recovery of its own damage count on neither side."};
  return question;
}

Question sharing_question(const GraphView& view, const QueryRequest&) {
  SharingRows found;
  const auto links = entering_links(view);
  for (std::size_t node = 0; node < links.size(); ++node) {
    if (links[node].empty()) continue;
    found.labels.push_back(view.nodes[node].name);
    found.links.push_back(links[node]);
  }
  found.labels.push_back("all, weighted by what they make up");
  const auto rows = std::make_shared<const SharingRows>(std::move(found));
  Question question{"For how many disturbed sources does each component make up, in effect?"};
  question.columns = {{"effective sources", "1"}, {"sources", "1"}, {"made up", std::string(view.info.unit)}};
  question.fixed = {false, true, false};
  question.labels = rows->labels;
  question.numbers = [rows](const LinkValues& values) { return sharing_of(*rows, values); };
  question.permuted = all_links(view);
  question.passes = 4;
  question.whole_names = {"effective sources"};
  question.whole = [rows](const LinkValues& values) {
    const Numbers all = sharing_of(*rows, values);
    return Numbers{all[all.size() - 3]};
  };
  question.notes = {
      "Sources are the disturbed components of this graph; the number of choices whose items move a component needs "
      "the "
      "items and isn't in it.",
      "exp(entropy) of the shares of the edges above 0: 1 where a component stands in for one source alone."};
  return question;
}

}  // namespace absorb
