#include "compensation/graph/queries/compare.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "compensation/graph/queries/agreement.h"
#include "compensation/graph/queries/question.h"
#include "core/error.h"
#include "core/numbers.h"
#include "core/settings.h"
#include "statistics/counting/permutation.h"
#include "statistics/holm.h"
#include "statistics/paired.h"

namespace absorb {
namespace {

/// Every whole-graph number of one side: by seed, and in random-edge graphs.
struct SideNumber {
  std::string query, name;
  bool exploratory = false;
  std::vector<int64_t> seeds;
  std::vector<double> by_seed, random;
};
using Side = std::vector<SideNumber>;

struct SideRequest {
  EdgeFilter edges;
  const QueryRequest* request = nullptr;
};

/// What a compared number is called, with the measure it is of.
void add_question(Side& side, const QueryKind& kind, const GraphView& view, const SideRequest& ask) {
  const Question question = kind.question(view, *ask.request);
  const std::size_t first = side.size();
  for (const std::string& name : question.whole_names)
    side.push_back({kind.name, fmt::format("{} ({})", name, view.measure), question.exploratory, view.seeds, {}, {}});
  const auto keep = [&](const Numbers& numbers, std::vector<double> SideNumber::*where) {
    for (std::size_t i = 0; i < numbers.size(); ++i) (side[first + i].*where).push_back(numbers[i]);
  };
  for (const LinkValues& seed : view.by_seed) keep(question.whole(seed), &SideNumber::by_seed);
  // The same shuffles on both sides: where their links are the same, so are their random edges.
  Random random(stream_key(0, "random edges of compare, " + kind.name));
  const double work = 25 * std::min(question.passes, 20.0) * static_cast<double>(view.links.size());
  for (int64_t draw = baseline_draws(work, ask.request->draws); draw > 0; --draw)
    keep(question.whole(shuffled(view.mean, question.permuted, random)), &SideNumber::random);
}

void add_agreements(Side& side, const CompensationGraph& graph, const SideRequest& ask) {
  for (const RankAgreement& each : agreements(graph, ask.edges, ask.request->draws))
    side.push_back({"agreement", each.predicted + " ~ " + each.measured, false, each.seeds, each.by_seed, each.random});
}

/// A query that this side can't answer is a note, not the end of the others.
Side numbers_of(const CompensationGraph& graph, const SideRequest& ask, std::vector<std::string>& notes) {
  Side side;
  const auto note = [&](const std::string& query, const UserError& error) {
    notes.push_back(fmt::format("{} isn't compared: {}.", query, error.what()));
  };
  for (const QueryKind& kind : query_kinds()) {
    try {
      add_question(side, kind, view_of(graph, ask.edges, kind.usual), ask);
    } catch (const UserError& error) {
      note(kind.name, error);
    }
  }
  try {
    add_agreements(side, graph, ask);
  } catch (const UserError& error) {
    note("agreement", error);
  }
  return side;
}

/// Only the seeds with a number on that side, or where they are pairs on both.
ComparedNumber compared(const SideNumber& a, const SideNumber& b) {
  ComparedNumber result{a.query, a.name, a.exploratory, {}, {}, a.seeds == b.seeds, nan};
  for (std::size_t i = 0; i < a.by_seed.size(); ++i)
    if (std::isfinite(a.by_seed[i]) && (!result.paired || std::isfinite(b.by_seed[i])))
      result.a.push_back(a.by_seed[i]);
  for (std::size_t i = 0; i < b.by_seed.size(); ++i)
    if (std::isfinite(b.by_seed[i]) && (!result.paired || std::isfinite(a.by_seed[i])))
      result.b.push_back(b.by_seed[i]);
  result.p = result.paired ? sign_flip_p(differences(result.a, result.b)) : two_sample_p(result.a, result.b);
  return result;
}

EdgeFilter other_side(const QueryRequest& request) {
  EdgeFilter other = request.against;
  if (!other.arm) other.arm = request.edges.arm;
  if (!other.target) other.target = request.edges.target;
  if (!other.measure) other.measure = request.edges.measure;
  return other;
}

Side::const_iterator counterpart(const SideNumber& number, const Side& side) {
  return std::ranges::find_if(
      side, [&](const SideNumber& each) { return each.query == number.query && each.name == number.name; });
}

struct Match {
  ComparedNumber number;
  std::vector<double> random;  // A - B of random-edge graphs
};

std::vector<Match> matches(const CompensationGraph& graph, const QueryRequest& request,
                           std::vector<std::string>& notes) {
  const EdgeFilter other = other_side(request);
  require(!request.edges.seed && !other.seed, "compare asks all seeds of both sides: leave --seed out");
  require(
      request.edges.arm != other.arm || request.edges.target != other.target || request.edges.measure != other.measure,
      "compare needs two sides that differ in --arm, --target or --measure");
  const Side a = numbers_of(graph, {request.edges, &request}, notes), b = numbers_of(graph, {other, &request}, notes);
  std::vector<Match> result;
  for (const SideNumber& one : a) {
    const auto same = counterpart(one, b);
    if (same == b.end()) continue;
    result.push_back({compared(one, *same), {}});
    for (std::size_t i = 0; i < std::min(one.random.size(), same->random.size()); ++i)
      result.back().random.push_back(one.random[i] - same->random[i]);
  }
  std::vector<std::string> alone;
  for (const auto& [one, two] : {std::pair{&a, &b}, std::pair{&b, &a}})
    for (const SideNumber& number : *one)
      if (counterpart(number, *two) == two->end()) alone.push_back(number.query + ": " + number.name);
  if (!alone.empty()) notes.push_back("Only one side has, so that there is nothing to compare: " + join(alone) + ".");
  require(!result.empty(), "the two sides have no query in common{}{}", notes.empty() ? "" : ": ",
          notes.empty() ? "" : notes.front());
  return result;
}

QueryNumber mean_number(const std::vector<double>& values) {
  const Summary summary = summarize(values);
  return {summary.mean, summary.sd / std::sqrt(static_cast<double>(summary.n)), t_interval(summary)};
}

/// Two-sided, around 0, unlike the baselines of single queries.
QueryNumber difference_number(const Match& match) {
  const ComparedNumber& number = match.number;
  if (number.paired) {
    QueryNumber result = mean_number(differences(number.a, number.b));
    if (!match.random.empty()) result.baseline = summarize(match.random).mean;
    return result;
  }
  const Summary a = summarize(number.a), b = summarize(number.b);
  QueryNumber result{.value = a.mean - b.mean};
  result.standard_error = std::sqrt(a.sd * a.sd / static_cast<double>(a.n) + b.sd * b.sd / static_cast<double>(b.n));
  if (!match.random.empty()) result.baseline = summarize(match.random).mean;
  return result;
}

void set_random_p(QueryNumber& number, const std::vector<double>& random) {
  if (random.empty() || std::isnan(number.value)) return;
  const auto reaching = std::ranges::count_if(
      random, [&](double drawn) { return std::abs(drawn) >= std::abs(number.value) * (1 - 1e-12); });
  number.p = static_cast<double>(1 + reaching) / static_cast<double>(1 + random.size());
}

std::string smallest_p_note(const ComparedNumber& number) {
  const auto a = static_cast<int64_t>(number.a.size()), b = static_cast<int64_t>(number.b.size());
  return number.paired
             ? fmt::format("Signs are flipped by seed: with {} seeds no p is below {:.4f}.", a, smallest_sign_flip_p(a))
             : fmt::format(
                   "The sides have other seeds, and runs are shared out anew: with {} against {} no p "
                   "is below {:.4f}.",
                   a, b, smallest_two_sample_p(a, b));
}

}  // namespace

std::vector<ComparedNumber> compared_numbers(const CompensationGraph& graph, const QueryRequest& request,
                                             std::vector<std::string>& notes) {
  std::vector<ComparedNumber> result;
  for (Match& match : matches(graph, request, notes)) result.push_back(std::move(match.number));
  return result;
}

QueryResult compare(const CompensationGraph& graph, const QueryRequest& request) {
  QueryResult result{"compare", "Do the two sets of runs differ in what the queries say?"};
  const auto found = matches(graph, request, result.notes);
  const EdgeFilter other = other_side(request);
  const auto joined = [](const std::optional<std::string>& a, const std::optional<std::string>& b) {
    return a == b ? a.value_or("") : a.value_or("the only one") + " against " + b.value_or("the only one");
  };
  result.arm = joined(request.edges.arm, other.arm);
  result.target = joined(request.edges.target, other.target);
  result.measure = joined(request.edges.measure, other.measure);
  result.columns = {{"A", ""}, {"B", ""}, {"A - B", ""}, {"p", "1"}, {"p (Holm)", "1"}};
  std::vector<double> family;
  for (const Match& match : found)
    if (!match.number.exploratory) family.push_back(match.number.p);
  const std::vector<double> adjusted = holm(family);
  std::size_t next = 0;
  for (const Match& match : found) {
    const ComparedNumber& number = match.number;
    QueryNumber difference = difference_number(match);
    set_random_p(difference, match.random);
    const double after = number.exploratory ? nan : adjusted[next++];
    result.rows.push_back(
        {fmt::format("{}{}: {}", number.exploratory ? "exploratory, " : "", number.query, number.name),
         {mean_number(number.a), mean_number(number.b), difference, {.value = number.p}, {.value = after}}});
    result.draws = std::max(result.draws, static_cast<int64_t>(match.random.size()));
  }
  result.notes.push_back(smallest_p_note(found.front().number));
  result.notes.push_back("p beside A - B: the share of random-edge graphs whose difference is as large in size.");
  return result;
}

}  // namespace absorb
