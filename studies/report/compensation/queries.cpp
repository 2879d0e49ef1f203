// Questions asked of the graphs, as tables.
#include <fmt/format.h>

#include <cmath>

#include "studies/analysis/wording.h"
#include "studies/report/compensation/compensation.h"
#include "studies/report/page/html.h"

namespace absorb::report {
namespace {

using enum Table::Kind;

std::string brief_or_nothing(double value) {
  return std::isfinite(value) ? brief(value) : "";
}

std::string interval_of(const QueryNumber& number) {
  if (number.ci95) return fmt::format("[{}, {}]", brief(number.ci95->low), brief(number.ci95->high));
  return std::isfinite(number.standard_error) ? "+/- " + brief(number.standard_error) + " (se)" : "";
}

std::string caption_of(const QueryResult& query) {
  std::string out =
      fmt::format("{}{}: {} Arm {}, target {}, measure {}; n = {}", query.exploratory ? "Exploratory, " : "",
                  query.name, query.question, query.arm, query.target, query.measure, query.seeds.size());
  if (query.draws > 0) out += fmt::format("; {} graphs of random edges", query.draws);
  return out + ".";
}

std::string table_of(const QueryResult& query) {
  Table table(caption_of(query));
  table.column("", words);
  for (const QueryColumn& column : query.columns) {
    const bool plain = column.unit.empty() || column.unit == "1";
    table.column(plain ? column.name : column.name + ", " + column.unit);
    table.column("95 %").column("Random edges").column("p");
  }
  for (const QueryRow& row : query.rows) {
    std::vector<std::string> cells{row.label};
    for (const QueryNumber& number : row.numbers) {
      cells.push_back(brief(number.value));
      cells.push_back(interval_of(number));
      cells.push_back(brief_or_nothing(number.baseline));
      cells.push_back(std::isfinite(number.p) ? p_value(number.p) : "");
    }
    cells.resize(1 + 4 * query.columns.size());
    table.row(std::move(cells));
  }
  std::string notes;
  for (const std::string& note : query.notes) notes += "<li>" + typeset(note) + "</li>\n";
  return anchored(table.html(), "queries") + (notes.empty() ? "" : "<ul class=\"notes\">\n" + notes + "</ul>\n");
}

}  // namespace

std::string compensation_queries(const CompensationResults& results) {
  std::string planned, exploratory;
  for (const QueryResult& query : results.queries) (query.exploratory ? exploratory : planned) += table_of(query);
  if (planned.empty() && exploratory.empty()) return "";
  return subheading("compensation-queries", "Questions asked of the graph") +
         paragraph(
             "Each answer stands beside the same question asked of random edges: only what differs from these comes "
             "from who is connected to whom.") +
         planned + folded("Exploratory questions, without a verdict", exploratory, true);
}

}  // namespace absorb::report
