#include "studies/report/text/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/settings.h"
#include "studies/analysis/groups.h"
#include "studies/analysis/wording.h"
#include "studies/report/text/deployments.h"
#include "studies/report/text/planned.h"
#include "studies/report/text/text_table.h"
#include "studies/study/noncausal.h"

namespace absorb {
namespace {

using enum TextTable::Align;

std::string paragraph(const std::string& text) {
  return wrapped(text, table_width, "  ", "  ");
}

std::string title(const Study& study) {
  std::string out = wrapped(study.settings.name + ": " + study.settings.question, table_width);
  if (!study.settings.note.empty()) out += wrapped("NOTE: " + study.settings.note, table_width);
  if (const std::string note = noncausal_note(study); !note.empty()) out += wrapped("NOTE: " + note, table_width);
  return out;
}

std::string arms(const StudyAnalysis& analysis) {
  TextTable table({{"target", left},
                   {"arm", words},
                   {"cell", words},
                   {"n", right},
                   {"failed", right},
                   {"loss", right},
                   {"95 % interval", left},
                   {"ppl", right},
                   {"swap cost", right},
                   {"parameters", right}});
  for (const ArmSummary& arm : analysis.arms)
    table.row({arm.target, arm.arm, cell_label(arm.cell), std::to_string(arm.n),
               arm.failed > 0 ? std::to_string(arm.failed) : "", mean_sd(arm.loss_mean, arm.loss_sd),
               bracketed(arm.ci95), number(std::exp(arm.loss_mean), 2), number(arm.swap_cost_mean),
               count(static_cast<double>(arm.parameters))});
  return "\nARMS: valid loss in nats per token, mean +/- sd over n seeds with its t interval; swap cost in nats\n" +
         table.text(table_width);
}

/// The contrasts of one name, which stand under one heading.
using Block = std::vector<const ContrastResult*>;

std::string tests(const Block& block) {
  TextTable table({{"target", words},
                   {"cell", words},
                   {"n", right},
                   {"gap", right},
                   {"95 % interval", left},
                   {"p_t", right},
                   {"Holm", right},
                   {"p_flip", right},
                   {"least", right},
                   {"p_TOST", right},
                   {"Holm", right}});
  for (const ContrastResult* row : block)
    table.row({row->target, cell_label(row->cell), std::to_string(row->paired.n), signed_number(row->paired.mean),
               bracketed(row->paired.ci95), p_value(row->paired.p_t), p_value(row->holm_p),
               p_value(row->paired.p_sign_flip), p_value(row->paired.smallest_p), p_value(row->p_tost),
               p_value(row->holm_p_tost)});
  return table.text(table_width);
}

std::string absorption(const Block& block) {
  TextTable table({{"target", left},
                   {"cell", words},
                   {"swap cost", right},
                   {"lock-in", right},
                   {"R", left},
                   {"R_net", left},
                   {"found", right},
                   {"verdict", words}});
  std::string notes;
  for (const ContrastResult* row : block) {
    table.row({row->target, cell_label(row->cell), number(row->swap_cost.mean), number(row->lock_in.mean),
               fraction(row->absorbed, 2), fraction(row->net, 2), number(row->smallest_found), row->verdict});
    if (row->swapped_below_chance && row->absorbed.why_undefined.empty())
      notes += paragraph(fmt::format(
          "R ({}): swapped, the treatment is worse than a guess that reads nothing; the swap cost measures confident "
          "wrong answers.",
          with_cell(row->target, row->cell)));
    if (row->absorbed.why_undefined.empty() && row->calibrated_cost.n > 0)
      notes += paragraph(fmt::format("R ({}) with swaps at their best temperature: {}, of a cost of {} nats.",
                                     with_cell(row->target, row->cell), fraction(row->calibrated, 2),
                                     number(row->calibrated_cost.mean)));
    if (!row->always.empty())
      notes += paragraph(fmt::format(
          "A ({}) = {}: 1 - gap / (loss({}) - loss({})){}", with_cell(row->target, row->cell), fraction(row->index, 2),
          row->control, row->always, row->index.why_undefined.empty() ? "." : "; " + row->index.why_undefined));
    if (!row->absorbed.why_undefined.empty())
      notes += paragraph(
          fmt::format("R undefined ({}): {}", with_cell(row->target, row->cell), row->absorbed.why_undefined));
  }
  return table.text(table_width) + notes;
}

std::string shares(const Block& block) {
  if (block.front()->redrawn.empty()) return "";
  TextTable table({{"target", left},
                   {"cell", words},
                   {"n", right},
                   {"V_content", right},
                   {"V_stable", right},
                   {"95 % interval", left},
                   {"S", left}});
  std::string notes;
  for (const ContrastResult* row : block) {
    table.row({row->target, cell_label(row->cell), std::to_string(row->stable.n), signed_number(row->paired.mean),
               signed_number(row->stable.mean), bracketed(row->stable.ci95), fraction(row->share)});
    if (!row->share.why_undefined.empty())
      notes +=
          paragraph(fmt::format("S undefined ({}): {}", with_cell(row->target, row->cell), row->share.why_undefined));
  }
  return table.text(table_width) + notes;
}

std::string heading(const StudyAnalysis& analysis, const ContrastResult& contrast) {
  const std::string under = contrast.deployment.empty() ? "" : ", deployed " + contrast.deployment;
  const std::vector<std::string> others = sharing_runs(analysis, contrast);
  return wrapped(
      fmt::format("{} = loss({}) - loss({}){}; {}{}, margin {:g} nats{}", contrast.name, contrast.control,
                  contrast.treatment, under, kind(contrast), contrast.positive_control ? " positive control" : "",
                  contrast.margin_nats, others.empty() ? "" : "; shares runs with " + join(others)),
      table_width, " ", " ");
}

std::string contrasts(const StudyAnalysis& analysis) {
  if (analysis.contrasts.empty()) return "";
  std::string out = "\nCONTRASTS: gap in nats per token, paired by seed, positive where the treatment is better\n";
  std::vector<std::string> done;
  for (const ContrastResult& first : analysis.contrasts) {
    if (std::find(done.begin(), done.end(), first.name) != done.end()) continue;
    done.push_back(first.name);
    Block block;
    for (const ContrastResult& row : analysis.contrasts)
      if (row.name == first.name) block.push_back(&row);
    out += heading(analysis, first) + tests(block) + shares(block) + absorption(block);
  }
  out += paragraph(
      "p_t: paired t test; p_flip: sign flips, least: the smallest it can be at this n; p_TOST: equivalence within the "
      "margin; Holm: adjusted over the primary contrasts. Swap cost: nats that the treatment's weights lose under a "
      "matched random router, lock-in: the control's. R = 1 - gap / swap cost, R_net = 1 - gap / (swap cost - "
      "lock-in), "
      "with Fieller's intervals; found: the true gap that this n and sd find with 80 % power. S = V_stable / (V_stable "
      "+ V_content): "
      "of what a fixed router is worth to training, the share that needs no content; V_content is the gap, V_stable = "
      "loss(redrawn) - loss(control).");
  return out;
}

/// Under a heading that says "attention - moe".
std::string short_label(const SeverityResult& row) {
  if (row.between != "attention - moe") return quantity_label(row);
  return row.quantity == "gap" ? "gap (moe first)" : row.quantity == "stable" ? "V_stable" : row.quantity;
}

std::string severity(const StudyAnalysis& analysis) {
  if (analysis.severity.empty()) return "";
  std::string out =
      "\nSEVERITY: above 0 where attention absorbs more; paired by seed, p not adjusted; found: as above\n";
  for (size_t first = 0, last = 0; first < analysis.severity.size(); first = last) {
    const SeverityResult& head = analysis.severity[first];
    TextTable table({{"quantity", words},
                     {"unit", words},
                     {"n", right},
                     {"mean", right},
                     {"95 % interval", left},
                     {"p_t", right},
                     {"p_TOST", right},
                     {"found", right},
                     {"verdict", words}});
    for (; last < analysis.severity.size(); ++last) {
      const SeverityResult& row = analysis.severity[last];
      if (row.between != head.between || row.contrast != head.contrast || row.cell != head.cell) break;
      table.row({short_label(row), row.unit, std::to_string(row.n), signed_number(row.mean), bracketed(row.ci95),
                 p_value(row.p_t), p_value(row.p_tost), number(row.smallest_found), row.verdict});
    }
    out += wrapped(fmt::format("{}, {}{}", head.contrast, with_cell(head.between, head.cell),
                               head.exploratory ? " (exploratory)" : ""),
                   table_width, " ", " ") +
           table.text(table_width);
  }
  for (const std::string& sentence : absorption_sentences(analysis)) out += paragraph(sentence);
  return out;
}

std::string doses(const StudyAnalysis& analysis) {
  if (analysis.doses.empty()) return "";
  TextTable table({{"contrast", words},
                   {"target", left},
                   {"cell", words},
                   {"dose", words},
                   {"of", words},
                   {"n", right},
                   {"slope", right},
                   {"95 % interval", left},
                   {"p_t", right}});
  for (const DoseResult& row : analysis.doses)
    table.row(
        {row.contrast, row.target, cell_label(row.rest),
         (row.logarithmic ? "log2 " : "") + (row.dose == "value" ? row.axis.substr(row.axis.rfind('.') + 1) : row.dose),
         row.quantity, std::to_string(row.n), signed_number(row.slope), bracketed(row.ci95), p_value(row.p_t)});
  return "\nDOSE: slope of the gap (nats) and of R along each axis, fitted for every seed; log2: for each doubling\n" +
         table.text(table_width);
}

std::string concentration(const StudyAnalysis& analysis) {
  std::string out = "\n";
  if (analysis.concentration.empty()) return out + wrapped(no_concentration(), table_width);
  for (const Concentration& line : analysis.concentration) out += wrapped(concentration_line(line), table_width);
  for (const std::string& line : expert_lines(analysis)) out += wrapped(line, table_width);
  return out;
}

std::string unfinished(const std::vector<RunRecord>& records) {
  std::string out;
  int64_t waiting = 0;
  for (const RunRecord& run : records) {
    if (run.state == "failed")
      out += wrapped(
          fmt::format("FAILED: {}, {}, seed {}: {}", run.arm, with_cell(run.target, run.cell), run.seed, run.failure),
          table_width, "", "  ");
    else if (run.state != "done")
      ++waiting;
  }
  if (waiting > 0)
    out += fmt::format("{} of {} runs are not done; they count as absent here.\n", waiting, records.size());
  return out.empty() ? out : "\n" + out;
}

}  // namespace

std::string print_table(const Study& study, const std::vector<RunRecord>& records, const StudyAnalysis& analysis) {
  return title(study) + planned_text(study, analysis) + arms(analysis) + contrasts(analysis) + severity(analysis) +
         doses(analysis) + deployments_text(analysis) + concentration(analysis) + unfinished(records);
}

}  // namespace absorb
