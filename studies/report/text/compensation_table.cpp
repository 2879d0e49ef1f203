#include "studies/report/text/compensation_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "studies/analysis/compensation/summaries.h"
#include "studies/analysis/wording.h"
#include "studies/report/text/table.h"
#include "studies/report/text/text_table.h"

namespace absorb {
namespace {

using enum TextTable::Align;

std::string mean(const Summary& summary, int digits) {
  return number(summary.n > 0 ? summary.mean : std::nan(""), digits);
}

std::string attribution_text(const Attribution& attribution) {
  TextTable table({{"quantity", left},
                   {"unit", left},
                   {"n", right},
                   {"attention", right},
                   {"experts", right},
                   {"difference", right},
                   {"95 % interval", left},
                   {"p_t", right}});
  for (const AttributionRow& row : attribution.rows) {
    const int digits = row.unit == "nats" ? nats_digits : 3;
    table.row({row.quantity, row.unit, std::to_string(row.seeds.size()), mean(summarize(row.attention), digits),
               mean(summarize(row.moe), digits), signed_number(row.mean, digits), bracketed(row.ci95, digits),
               p_value(row.p_t)});
  }
  std::string out =
      " " + attribution.between + "\n" + table.text(table_width) +
      wrapped(fmt::format("{}: {}", attribution.verdict, claim_answer(attribution)), table_width, "  ", "  ");
  for (const std::string& why : attribution.left_out) out += wrapped("left out: " + why, table_width, "  ", "    ");
  return out;
}

std::string attributions(const CompensationResults& results) {
  if (results.attributions.empty()) return "";
  std::string out =
      "\nATTRIBUTION: nats recovered per token for attention routers and for expert routers, paired by seed\n" +
      wrapped(
          "Claim: other layers recover more for attention (cross is above 0): supported, contradicted or undecided.",
          table_width, "  ", "  ");
  for (const Attribution& attribution : results.attributions) out += attribution_text(attribution);
  return out;
}

std::string shares(const std::vector<RouterSummary>& routers) {
  TextTable table({{"target", left},
                   {"router", left},
                   {"n", right},
                   {"share", right},
                   {"95 % interval", left},
                   {"all", right},
                   {"cross", right},
                   {"module", right},
                   {"rest", right}});
  std::string undefined;
  for (const RouterSummary& router : routers) {
    const std::string name = to_string(router.router);
    table.row({router.target, name, std::to_string(router.share.n), mean(router.share, 3),
               bracketed(t_interval(router.share), 3), mean(router.all, nats_digits), mean(router.cross, nats_digits),
               mean(router.module, nats_digits), mean(router.rest, nats_digits)});
    for (const std::string& why : router.undefined)
      undefined += wrapped(fmt::format("not among n: {}, {}, {}", router.target, name, why), table_width, "  ", "    ");
  }
  return "\nCROSS-LAYER SHARE: of what is recovered, the share of other layers; Shapley values in nats per token\n" +
         table.text(table_width) + undefined;
}

/// Empty where no share is defined, or the parts' numbers were not kept.
std::string part_sizes(const std::vector<RouterSummary>& routers) {
  TextTable table({{"target", left},
                   {"router", left},
                   {"part", left},
                   {"n", right},
                   {"share", right},
                   {"size", right},
                   {"matched", right},
                   {"excess", right},
                   {"95 % interval", left}});
  bool any = false, matched = false;
  for (const RouterSummary& router : routers)
    for (const PartShare& part : router.parts) {
      if (part.numbers.n == 0) continue;
      any = true;
      matched = matched || part.excess.n > 0;
      table.row({router.target, to_string(router.router), part.part, std::to_string(part.share.n), mean(part.share, 3),
                 mean(part.numbers, 3), mean(part.size_matched, 3), mean(part.excess, 3),
                 bracketed(t_interval(part.excess), 3)});
    }
  if (!any) return "";
  return "\nPARTS AND THEIR SIZES: shares of what is recovered; size: the part's share of the numbers that adapt\n" +
         table.text(table_width) +
         wrapped(matched ? "matched: the share of random partitions into parts of the same sizes; excess: share less "
                           "matched, with its interval."
                         : "compensation.random_partitions = 1 measures what size alone would give.",
                 table_width, "  ", "  ");
}

std::string doses(const std::vector<RouterSummary>& routers) {
  TextTable table({{"target", left},
                   {"router", left},
                   {"n", right},
                   {"swap cost", right},
                   {"95 % interval", left},
                   {"dose", right},
                   {"cost at dose", right}});
  for (const RouterSummary& router : routers)
    table.row({router.target, to_string(router.router), std::to_string(router.swap_cost.n), mean(router.swap_cost, 4),
               bracketed(t_interval(router.swap_cost)), mean(router.dose, 3), mean(router.dose_cost, nats_digits)});
  return "\nSWAP COST AND DOSE: nats per token before adaptation; dose: share of the items that costs the damage\n" +
         table.text(table_width);
}

std::string measures_text(const CompensationResults& results) {
  struct Sum {
    int64_t runs = 0, edges = 0;
    double seconds = 0;
  };
  std::map<std::pair<std::size_t, std::string>, Sum> sums;
  for (const Measurement& measurement : results.measurements) {
    Sum& sum = sums[{place_of_measure(measurement.measure), measurement.measure}];
    ++sum.runs;
    sum.edges += std::ssize(measurement.edges);
    sum.seconds += measurement.seconds;
  }
  TextTable table({{"measure", left}, {"runs", right}, {"edges", right}, {"seconds", right}});
  for (const auto& [key, sum] : sums)
    table.row({key.second, std::to_string(sum.runs), std::to_string(sum.edges), number(sum.seconds, 1)});
  return sums.empty() ? "" : "\nMEASURES: what was measured, and the time that it took\n" + table.text(table_width);
}

/// A note that several runs have stands once, with their number.
std::string notes(const CompensationResults& results) {
  std::vector<std::pair<std::string, int64_t>> counts;
  const auto add = [&counts](const std::string& note) {
    const auto found = std::find_if(counts.begin(), counts.end(), [&note](const auto& c) { return c.first == note; });
    if (found == counts.end())
      counts.emplace_back(note, 1);
    else
      ++found->second;
  };
  for (const std::string& note : results.notes) add(note);
  for (const Measurement& measurement : results.measurements)
    for (const std::string& note : measurement.notes)
      add(fmt::format("{}, {}: {}", measurement.measure, measurement.target, note));
  std::string out;
  for (const auto& [note, count] : counts)
    out += wrapped(count > 1 ? fmt::format("{} ({} runs)", note, count) : note, table_width, "  ", "    ");
  return out.empty() ? "" : "\nNOTES\n" + out;
}

std::string digits(double value) {
  return std::isfinite(value) ? fmt::format("{:.4g}", value) : "";
}

}  // namespace

std::string print_query(const QueryResult& query) {
  TextTable table;
  constexpr size_t longest_node = 24;  // a node's name is one word and never cut; sentences wrap
  const bool names = std::all_of(query.rows.begin(), query.rows.end(),
                                 [](const QueryRow& row) { return row.label.size() <= longest_node; });
  table.column("", names ? left : words);
  for (const QueryColumn& column : query.columns) {
    const bool plain = column.unit.empty() || column.unit == "1";
    table.column(plain ? column.name : column.name + " [" + column.unit + "]", right);
    table.column("95 % interval", left);
    table.column("random", right);
    table.column("p", right);
  }
  for (const QueryRow& row : query.rows) {
    std::vector<std::string> cells{row.label};
    for (const QueryNumber& each : row.numbers) {
      cells.push_back(std::isfinite(each.value) ? digits(each.value) : "-");
      cells.push_back(each.ci95 ? fmt::format("[{}, {}]", digits(each.ci95->low), digits(each.ci95->high)) : "");
      cells.push_back(digits(each.baseline));
      cells.push_back(std::isfinite(each.p) ? p_value(each.p) : "");
    }
    cells.resize(1 + 4 * query.columns.size());
    table.row(std::move(cells));
  }
  std::string out =
      wrapped(fmt::format("{}{}: {}", query.name, query.exploratory ? " (exploratory)" : "", query.question),
              table_width, " ", " ") +
      wrapped(fmt::format("arm {}, target {}, measure {}, n = {}{}", query.arm, query.target, query.measure,
                          query.seeds.size(),
                          query.draws > 0 ? fmt::format(", {} graphs of random edges", query.draws) : ""),
              table_width, "  ", "  ") +
      table.text(table_width);
  for (const std::string& note : query.notes) out += wrapped(note, table_width, "  ", "    ");
  return out;
}

std::string print_compensation(const CompensationResults& results) {
  if (results.empty()) return notes(results);
  std::string out = wrapped(
      fmt::format("Compensation of arm {}: who makes up for a disturbed router", with_cell(results.arm, results.cell)),
      table_width);
  out += attributions(results);
  if (const std::vector<RouterSummary> routers = router_summaries(results); !routers.empty())
    out += shares(routers) + part_sizes(routers) + doses(routers);
  if (!results.queries.empty()) out += "\nQUESTIONS: each beside the same question asked of random edges\n";
  for (const QueryResult& query : results.queries) out += print_query(query);
  return out + measures_text(results) + notes(results);
}

}  // namespace absorb
