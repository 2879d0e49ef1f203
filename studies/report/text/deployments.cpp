#include "studies/report/text/deployments.h"

#include <fmt/format.h>

#include "studies/analysis/groups.h"
#include "studies/analysis/wording.h"
#include "studies/report/text/table.h"
#include "studies/report/text/text_table.h"

namespace absorb {
namespace {

using enum TextTable::Align;

/// Target both has a line for each kind of routing.
std::string agreement(const StudyAnalysis& analysis) {
  TextTable table({{"target", left},
                   {"arm", words},
                   {"cell", words},
                   {"deployment", words},
                   {"F1", right},
                   {"Jaccard", right},
                   {"mass", right},
                   {"of", right}});
  bool empty = true;
  for (const DeploymentSummary& row : analysis.deployments)
    for (const auto& [kind, a] : row.agreement) {
      table.row({row.target == "both" ? "both: " + kind : row.target, row.arm, cell_label(row.cell), row.key,
                 number(a.f1, 3), number(a.jaccard, 3), number(a.retained_mass, 3), number(a.oracle_mass, 3)});
      empty = false;
    }
  if (empty) return "";
  return wrapped(
             "Agreement with the oracle's choices of the same budget; mass: share of the layer's own preference on "
             "what is kept, of what the oracle's choices hold",
             table_width, " ", " ") +
         table.text(table_width);
}

std::string information(const StudyAnalysis& analysis) {
  TextTable table({{"target", left},
                   {"arm", words},
                   {"cell", words},
                   {"deployment", words},
                   {"n", right},
                   {"bits", right},
                   {"95 % interval", left},
                   {"null", right},
                   {"probe", right},
                   {"of", right}});
  bool empty = true;
  for (const DeploymentSummary& row : analysis.deployments)
    for (const auto& [kind, found] : row.information) {
      table.row({row.target == "both" ? "both: " + kind : row.target, row.arm, cell_label(row.cell), row.key,
                 std::to_string(found.bits.n), number(found.bits.mean), bracketed(found.bits.ci95),
                 number(found.null_95.mean), number(found.ceiling.mean), number(found.label_entropy.mean)});
      empty = false;
    }
  if (empty) return "";
  return wrapped(
             "Routing information, bits an observation: what the decisions say of what would have helped another "
             "seed's run; null: the 95 % quantile of permuted labels; probe: what a "
             "linear "
             "one reads out of the router's input; of: the label's entropy",
             table_width, " ", " ") +
         table.text(table_width);
}

}  // namespace

std::string deployments_text(const StudyAnalysis& analysis) {
  if (analysis.deployments.empty()) return "";
  TextTable table({{"target", left},
                   {"arm", words},
                   {"cell", words},
                   {"deployment", words},
                   {"n", right},
                   {"loss", right},
                   {"cost", right},
                   {"95 % interval", left},
                   {"open", right}});
  for (const DeploymentSummary& row : analysis.deployments)
    table.row({row.target, row.arm, cell_label(row.cell), row.key, std::to_string(row.loss.n), number(row.loss.mean),
               signed_number(row.cost.mean), bracketed(row.cost.ci95),
               row.open_cost.n > 0 ? signed_number(row.open_cost.mean) : ""});
  return "\nDEPLOYMENTS: trained weights under another routing; cost = deployed - native loss, in nats\n" +
         table.text(table_width) +
         wrapped("open: cost with routings recorded from the native pass.", table_width, "  ", "  ") +
         (note_on_gains(analysis).empty() ? "" : wrapped(note_on_gains(analysis), table_width, "  ", "  ")) +
         agreement(analysis) + information(analysis);
}

}  // namespace absorb
