#include <fmt/format.h>

#include <cmath>

#include "studies/analysis/wording.h"
#include "studies/report/page/html.h"
#include "studies/report/page/parts.h"

namespace absorb::report {
namespace {

using enum Table::Kind;

std::string what(const ContrastResult& row) {
  return fmt::format("{} ({}{})", row.name, kind(row), row.deployment.empty() ? "" : ", deployed " + row.deployment);
}

std::string gap_table(const std::vector<ContrastResult>& contrasts) {
  Table table(
      "Gaps: loss(control) - loss(treatment) in nats per token over n paired seeds, above 0 where the treatment is "
      "better. Intervals are 95 %: t over seeds and, beside it, over seeds and documents (crossed). Variance ratio: of "
      "the losses over seeds, treatment over control. Found: the true gap that this n and sd find with 80 % power.");
  table.column("Contrast", words).column("Target", words).column("Cell", words).column("n").column("Gap").column("sd");
  table.column("95 %, seeds").column("Verdict", words).column("Found").column("95 %, documents too");
  table.column("Variance ratio");
  for (const ContrastResult& row : contrasts)
    table.row({what(row), row.target, cell_label(row.cell), std::to_string(row.paired.n),
               signed_number(row.paired.mean), number(row.paired.sd), bracketed(row.paired.ci95), row.verdict,
               number(row.smallest_found), row.ci95_documents ? bracketed(row.ci95_documents) : "",
               number(row.variance_ratio, 2)});
  return table.html();
}

std::string test_table(const std::vector<ContrastResult>& contrasts) {
  Table table(
      "Tests: two-sided p of the paired t test and of flipping signs, with the smallest p that flips can reach at this "
      "n; "
      "p of the equivalence test (TOST) within the margin, in nats. Holm: adjusted over the primary contrasts, the t "
      "tests and the TOSTs separately.");
  table.column("Contrast", words).column("Target", words).column("Cell", words).column("n").column("p, t");
  table.column("Holm").column("p, sign flip").column("Smallest").column("Margin").column("p, TOST").column("Holm");
  for (const ContrastResult& row : contrasts)
    table.row({what(row), row.target, cell_label(row.cell), std::to_string(row.paired.n), p_value(row.paired.p_t),
               p_value(row.holm_p), p_value(row.paired.p_sign_flip), p_value(row.paired.smallest_p),
               fmt::format("{:g}", row.margin_nats), p_value(row.p_tost), p_value(row.holm_p_tost)});
  return table.html();
}

std::string fraction_table(const std::vector<ContrastResult>& contrasts) {
  Table table(
      "Absorbed fraction: R = 1 - gap / swap cost. The swap cost, in nats per token, is what the treatment's weights "
      "lose under a matched random router (mean of several draws); its interval is 95 % t over seeds. At the best "
      "temperature: with the swapped model's logits divided by one number, so that confident wrong answers don't "
      "count. "
      "Lock-in is the cost of the control, content cost the difference, and R_net = 1 - gap / content cost. Intervals "
      "of R and R_net are "
      "Fieller's; both are undefined unless the interval of the denominator lies above 0, and exist only where the "
      "control is the treatment's random twin.");
  table.column("Contrast", words).column("Target", words).column("Cell", words).column("n").column("Gap");
  table.column("Swap cost").column("95 %").column("R [95 %]", words);
  table.column("At the best temperature").column("R [95 %]", words).column("Lock-in").column("Content cost");
  table.column("95 %").column("R_net [95 %]", words).column("Note", words);
  for (const ContrastResult& row : contrasts)
    table.row({row.name, row.target, cell_label(row.cell), std::to_string(row.swap_cost.n),
               signed_number(row.paired.mean), number(row.swap_cost.mean), bracketed(row.swap_cost.ci95),
               fraction(row.absorbed), number(row.calibrated_cost.mean), fraction(row.calibrated),
               number(row.lock_in.mean), signed_number(row.content_cost.mean), bracketed(row.content_cost.ci95),
               fraction(row.net),
               row.absorbed.why_undefined.empty() && row.swapped_below_chance
                   ? "swapped, it is worse than a guess that reads nothing"
                   : row.absorbed.why_undefined});
  return table.html();
}

std::string share_table(const std::vector<ContrastResult>& contrasts) {
  Table table(
      "Absorbed share: S = V_stable / (V_stable + V_content), all trained through. V_content = loss(control) - "
      "loss(treatment) is what the router's content adds, V_stable = loss(redrawn) - loss(control) what co-adaptation "
      "to "
      "any fixed router gains. Intervals over seeds, 95 %: t for V, Fieller's for S, which is undefined unless the "
      "interval of the sum lies above 0.");
  table.column("Contrast", words).column("Target", words).column("Cell", words).column("n").column("V_content");
  table.column("95 %").column("V_stable").column("95 %").column("S [95 %]", words).column("Why undefined", words);
  bool any = false;
  for (const ContrastResult& row : contrasts) {
    if (row.redrawn.empty()) continue;
    any = true;
    table.row({row.name, row.target, cell_label(row.cell), std::to_string(row.stable.n), signed_number(row.paired.mean),
               bracketed(row.paired.ci95), signed_number(row.stable.mean), bracketed(row.stable.ci95),
               fraction(row.share), row.share.why_undefined});
  }
  return any ? table.html() : "";
}

std::string index_table(const std::vector<ContrastResult>& contrasts) {
  Table table(
      "Absorption index: A = 1 - gap / (loss(control) - loss(always)), with an arm that keeps every choice. Fieller's "
      "interval; undefined unless the interval of the denominator lies above 0.");
  table.column("Contrast", words).column("Target", words).column("Cell", words).column("Always", words);
  table.column("A [95 %]", words).column("Why undefined", words);
  bool any = false;
  for (const ContrastResult& row : contrasts) {
    if (row.always.empty()) continue;
    any = true;
    table.row({row.name, row.target, cell_label(row.cell), row.always, fraction(row.index), row.index.why_undefined});
  }
  return any ? table.html() : "";
}

double density_or_nan(double value, const std::string& target) {
  return target == "dense" ? std::nan("") : value;
}

std::string parameters_of(const RunGroup& group, int64_t ParameterCounts::*field) {
  return group.done.empty() ? "-" : count(static_cast<double>(group.done.front()->parameters.*field));
}

std::string share_of_router(const RunGroup& group, int64_t ParameterCounts::*denominator) {
  if (group.done.empty()) return "-";
  const ParameterCounts& counts = group.done.front()->parameters;
  if (counts.router == 0 || counts.*denominator == 0) return "-";
  return number(100 * static_cast<double>(counts.router) / static_cast<double>(counts.*denominator), 2);
}

}  // namespace

std::string contrast_tables(const Material& material) {
  const auto& contrasts = material.analysis.contrasts;
  return contrasts.empty() ? "" : gap_table(contrasts) + test_table(contrasts);
}

std::string absorption_table(const Material& material) {
  return share_table(material.analysis.contrasts) + index_table(material.analysis.contrasts) +
         fraction_table(material.analysis.contrasts);
}

std::string severity_table(const Material& material) {
  Table table(
      "Severity: the difference between targets, paired by seed, with its 95 % t interval, above 0 where attention "
      "absorbs more. S, the primary one, and V_stable are judged each by itself; the gap and R get a verdict only "
      "where "
      "both say the same. S and R are compared by the delta method, with a margin of 0.1. Found: the true difference "
      "that this n and sd find with 80 % power. p values are not adjusted.");
  table.column("Between", words).column("Contrast", words).column("Cell", words).column("Quantity", words);
  table.column("Unit", words).column("n").column("Mean").column("sd").column("95 %").column("Verdict", words);
  table.column("p, t").column("p, TOST").column("Found");
  for (const SeverityResult& row : material.analysis.severity)
    table.row({row.between, row.contrast + (row.exploratory ? " (exploratory)" : ""), cell_label(row.cell),
               quantity_label(row), row.unit, std::to_string(row.n), signed_number(row.mean), number(row.sd),
               bracketed(row.ci95), row.verdict, p_value(row.p_t), p_value(row.p_tost), number(row.smallest_found)});
  return table.html();
}

std::string arm_table(const Material& material) {
  Table table(
      "Arms: loss on valid text in nats per token, mean, sd and 95 % t interval over n seeds; perplexity is exp(loss). "
      "Swap cost in nats.");
  table.column("Target", words).column("Arm", words).column("Cell", words).column("n").column("Failed").column("Loss");
  table.column("sd").column("95 %").column("Perplexity").column("Swap cost").column("Tokens per second");
  for (const ArmSummary& arm : material.analysis.arms)
    table.row({arm.target, arm.arm, cell_label(arm.cell), std::to_string(arm.n),
               arm.failed > 0 ? std::to_string(arm.failed) : "", number(arm.loss_mean), number(arm.loss_sd),
               bracketed(arm.ci95), number(std::exp(arm.loss_mean), 2), number(arm.swap_cost_mean),
               count(arm.tokens_per_sec)});
  return table.html() + concentration(material);
}

std::string confound_table(const Material& material) {
  Table table(
      "Confounds: what else differs between arms. Density: mean weight over visible choices. Displacement: how far the "
      "router moved, over the size it began with (0 where it is frozen). Router: its parameters, also in percent of "
      "four denominators: all unique, counted untied, non-embedding, and what it steers (Q, K and V, or the experts).");
  table.column("Target", words).column("Arm", words).column("Cell", words).column("Density").column("Displacement");
  table.column("FLOPs/token").column("Parameters").column("Trained").column("Router").column("% unique");
  table.column("% untied").column("% non-embedding").column("% steered");
  for (const ArmSummary& arm : material.analysis.arms) {
    const RunGroup* group = find_group(material.groups, arm.arm, arm.target, arm.cell);
    if (group == nullptr || group->done.empty()) continue;
    table.row(
        {arm.target, arm.arm, cell_label(arm.cell), number(density_or_nan(arm.density, arm.target), 3),
         number(arm.displacement, 3), short_count(arm.flops_per_token), parameters_of(*group, &ParameterCounts::unique),
         parameters_of(*group, &ParameterCounts::trained), parameters_of(*group, &ParameterCounts::router),
         share_of_router(*group, &ParameterCounts::unique), share_of_router(*group, &ParameterCounts::untied),
         share_of_router(*group, &ParameterCounts::non_embedding), share_of_router(*group, &ParameterCounts::module)});
  }
  return table.html();
}

std::string concentration(const Material& material) {
  const auto paragraph = [](const std::string& text) {
    return "<p class=\"meta concentration\">" + typeset(text) + "</p>\n";
  };
  std::string out;
  for (const Concentration& line : material.analysis.concentration) out += paragraph(concentration_line(line));
  for (const std::string& line : expert_lines(material.analysis)) out += paragraph(line);
  return out.empty() ? paragraph(no_concentration()) : out;
}

}  // namespace absorb::report
