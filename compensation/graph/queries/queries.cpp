#include "compensation/graph/queries/queries.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <tuple>

#include "compensation/graph/queries/compare.h"
#include "compensation/graph/queries/question.h"
#include "compensation/recovery/recovery.h"
#include "core/error.h"
#include "core/numbers.h"
#include "core/settings.h"
#include "statistics/fieller.h"
#include "statistics/student.h"
#include "tensors/parameters.h"

namespace absorb {
namespace {

constexpr int64_t usual_draws = 200, fewest_draws = 19;  // 19: the fewest with which p can be 0.05
constexpr double work_of_draws = 5e7;                    // about a second

using Columns = std::vector<std::vector<double>>;  // [draws or seeds][rows x columns]

std::vector<double> column(const Columns& table, std::size_t place) {
  std::vector<double> result;
  for (const auto& row : table) result.push_back(row[place]);
  return result;
}

/// Own and cross of one row, by seed, or of one graph with their errors.
struct OwnCross {
  double own = 0, cross = 0, error = nan;       // error of their sum
  std::vector<double> crosses = {}, sums = {};  // [seeds]
};

QueryNumber share_number(const OwnCross& row, QueryNumber number) {
  const double sum = row.own + row.cross;
  number.standard_error = nan;
  number.ci95 = std::nullopt;
  if (!(sum > noise_errors * row.error)) {
    number.value = nan;
    number.p = nan;
    return number;
  }
  number.value = row.cross / sum;
  if (row.sums.size() < 2) return number;
  std::vector<double> around;  // the delta method: what each seed's share adds
  for (std::size_t i = 0; i < row.sums.size(); ++i)
    around.push_back((row.crosses[i] - number.value * row.sums[i]) / sum);
  number.standard_error = summarize(around).sd / std::sqrt(static_cast<double>(around.size()));
  number.ci95 = fieller(row.crosses, row.sums);
  return number;
}

/// Makes the share of each row from its own and cross; says where it is undefined.
void make_shares(QueryResult& result, const Question& question, const Columns& by_seed) {
  const auto [own, cross, share] = *question.share;
  const std::size_t columns = question.columns.size();
  for (std::size_t row = 0; row < result.rows.size(); ++row) {
    auto& numbers = result.rows[row].numbers;
    OwnCross parts{numbers[own].value, numbers[cross].value,
                   numbers[own].standard_error + numbers[cross].standard_error};
    for (const auto& seed : by_seed) {
      parts.crosses.push_back(seed[row * columns + cross]);
      parts.sums.push_back(seed[row * columns + own] + parts.crosses.back());
    }
    if (by_seed.size() > 1) parts.error = summarize(parts.sums).sd / std::sqrt(static_cast<double>(parts.sums.size()));
    numbers[share] = share_number(parts, numbers[share]);
    if (!std::isnan(numbers[share].value)) continue;
    result.notes.push_back(
        fmt::format("{}: the share is undefined, since own + cross is {:.6f} {}, within its noise "
                    "({:.0f} standard errors = {:.6f}).",
                    result.rows[row].label, parts.own + parts.cross, question.columns[own].unit, noise_errors,
                    noise_errors * parts.error));
  }
}

Columns asked_of_random(const Question& question, const LinkValues& values, int64_t draws, Random random) {
  const Ask& ask = question.random ? question.random : question.numbers;
  Columns result;
  for (int64_t draw = 0; draw < draws; ++draw) result.push_back(ask(shuffled(values, question.permuted, random)));
  return result;
}

}  // namespace

int64_t baseline_draws(double work, std::optional<int64_t> wanted) {
  if (wanted) {
    require(*wanted >= 0, "the baseline needs 0 or more draws, not {}", *wanted);
    return *wanted;
  }
  return std::clamp(static_cast<int64_t>(work_of_draws / std::max(1.0, work)), fewest_draws, usual_draws);
}

QueryNumber number_of(double value, const std::vector<double>& by_seed, const std::vector<double>& random) {
  QueryNumber number{.value = value};
  if (by_seed.size() > 1) {
    const auto n = static_cast<double>(by_seed.size());
    number.standard_error = summarize(by_seed).sd / std::sqrt(n);
    const double half = t_quantile(0.975, n - 1) * number.standard_error;
    if (std::isfinite(half) && std::isfinite(value)) number.ci95 = Interval{value - half, value + half};
  }
  std::vector<double> finite;
  std::ranges::copy_if(random, std::back_inserter(finite), [](double drawn) { return std::isfinite(drawn); });
  if (finite.empty()) return number;
  number.baseline = summarize(finite).mean;
  if (std::isnan(value)) return number;
  const double reach = value - 1e-12 * std::abs(value);  // sums in another order differ by rounding
  const auto reaching = std::ranges::count_if(finite, [&](double drawn) { return drawn >= reach; });
  number.p = static_cast<double>(1 + reaching) / static_cast<double>(1 + finite.size());
  return number;
}

double effective_number(const std::vector<double>& values) {
  double sum = 0, logs = 0;
  for (double value : values) {
    if (!(value > 0)) continue;
    sum += value;
    logs += value * std::log(value);
  }
  return sum > 0 ? std::exp(std::log(sum) - logs / sum) : nan;
}

std::vector<std::size_t> all_links(const GraphView& view) {
  std::vector<std::size_t> result(view.links.size());
  std::iota(result.begin(), result.end(), std::size_t{0});
  return result;
}

bool is_router_node(const GraphNode& node) {
  return node.part.find(to_string(Part::attention_router)) != std::string::npos ||
         node.part.find(to_string(Part::expert_router)) != std::string::npos;
}

std::vector<Source> sources_of(const GraphView& view, const QueryRequest& request) {
  if (request.from) return {{*request.from, {view.place(*request.from)}}};
  std::vector<bool> leaves(view.nodes.size());
  for (const Link& link : view.links) {
    leaves[link.from] = true;
    if (!view.info.directed) leaves[link.to] = true;
  }
  Source all{"all routers", {}};
  std::vector<Source> result;
  for (std::size_t node = 0; node < view.nodes.size(); ++node) {
    if (!leaves[node] || !is_router_node(view.nodes[node])) continue;
    all.vertices.push_back(node);
    if (result.size() < request.count) result.push_back({view.nodes[node].name, {node}});
  }
  require(!all.vertices.empty(), "no edge of {} leaves a router: say --from NODE, one of {}", view.measure,
          join(view.names()));
  if (all.vertices.size() > 1) result.insert(result.begin(), std::move(all));
  return result;
}

QueryResult answer(const std::string& name, const Question& question, const GraphView& view,
                   std::optional<int64_t> draws) {
  QueryResult result{name, question.sentence, question.exploratory, view.arm, view.target, view.measure, view.seeds};
  result.columns = question.columns;
  result.notes = question.notes;
  const Numbers values = question.numbers(view.mean);
  Columns by_seed;
  for (const LinkValues& seed : view.by_seed) by_seed.push_back(question.numbers(seed));
  const double work = question.passes * static_cast<double>(view.links.size());
  result.draws = question.labels.empty() ? 0 : baseline_draws(work, draws);
  const Random stream(stream_key(0, "random edges of " + name));
  const Columns random = question.null ? Columns{} : asked_of_random(question, view.mean, result.draws, stream);
  const NullNumbers null = question.null ? question.null(result.draws, stream) : NullNumbers{};
  const Numbers errors = view.seeds.size() == 1 && question.errors ? question.errors(view.mean) : Numbers{};
  const std::size_t columns = question.columns.size();
  for (std::size_t row = 0; row < question.labels.size(); ++row) {
    result.rows.push_back({question.labels[row], {}});
    for (std::size_t place = row * columns; place < (row + 1) * columns; ++place) {
      const bool fixed = !question.fixed.empty() && question.fixed[place % columns];
      QueryNumber number = fixed ? QueryNumber{.value = values[place]}
                                 : number_of(values[place], column(by_seed, place), column(random, place));
      if (question.null) std::tie(number.baseline, number.p) = std::tie(null.baseline[place], null.p[place]);
      if (!errors.empty()) number.standard_error = errors[place];
      result.rows.back().numbers.push_back(number);
    }
  }
  if (question.share) make_shares(result, question, by_seed);
  return result;
}

const std::vector<QueryKind>& query_kinds() {
  static const std::vector<QueryKind> kinds = {
      {"share", share_question, {"recovery", "recovery_unmatched", "components"}},
      {"paths", paths_question, {"components", "recovery", "recovery_unmatched"}},
      {"sharing", sharing_question, {"components", "recovery", "recovery_unmatched"}},
      {"hubs", hubs_question, {"components", "recovery", "recovery_unmatched"}},
      {"containment", containment_question, {"components", "recovery", "recovery_unmatched"}},
      {"capacity", capacity_question, {"components", "recovery", "recovery_unmatched"}},
      {"cut", cut_question, {"components", "recovery", "recovery_unmatched"}},
      {"groups", groups_question, {"components", "coupling", "curvature", "recovery", "recovery_unmatched"}}};
  return kinds;
}

std::vector<std::string> query_names() {
  std::vector<std::string> names;
  for (const QueryKind& kind : query_kinds()) names.push_back(kind.name);
  names.insert(names.begin() + 3, {"agreement", "compare"});
  return names;
}

QueryResult run_query(const CompensationGraph& graph, const QueryRequest& request) {
  if (request.query == "agreement") return agreement(graph, request);
  if (request.query == "compare") return compare(graph, request);
  const auto& kinds = query_kinds();
  const auto kind = std::ranges::find(kinds, request.query, &QueryKind::name);
  require(kind != kinds.end(), "unknown query {}; known: {}", request.query, join(query_names()));
  const GraphView view = view_of(graph, request.edges, kind->usual);
  return answer(kind->name, kind->question(view, request), view, request.draws);
}

}  // namespace absorb
