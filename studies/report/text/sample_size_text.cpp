#include <fmt/format.h>

#include <algorithm>

#include "core/text/clock.h"
#include "statistics/power.h"
#include "studies/analysis/groups.h"
#include "studies/analysis/sample_size.h"
#include "studies/analysis/wording.h"
#include "studies/report/text/table.h"
#include "studies/report/text/text_table.h"

namespace absorb {
namespace {

using enum TextTable::Align;
using Block = std::vector<const PlannedContrast*>;  // of one name, which stand under one heading

std::string seeds_text(const std::optional<int64_t>& seeds) {
  return seeds ? count(static_cast<double>(*seeds)) : ">" + count(static_cast<double>(most_seeds));
}

std::string time_text(double seconds) {
  constexpr double day = 86400;
  return seconds < 10 * day ? clock_text(seconds) : fmt::format("{} days", count(seconds / day));
}

std::string runs_text(const std::optional<int64_t>& seeds, const SeedCost& cost) {
  return seeds ? count(static_cast<double>(*seeds * cost.runs)) : "-";
}

std::string time_text(const std::optional<int64_t>& seeds, const SeedCost& cost) {
  return seeds ? time_text(static_cast<double>(*seeds) * cost.seconds) : "-";
}

std::string least_p(const std::optional<int64_t>& seeds) {
  return seeds ? p_value(smallest_sign_flip_p(*seeds)) : "-";
}

template <class Row>
void add_rows(const Block& block, Row row) {
  for (const PlannedContrast* planned : block)
    for (const SeedsNeeded& need : planned->by_sd) row(*planned, need, &need == &planned->by_sd.front());
}

std::string needed(const Block& block, const SeedCost& cost) {
  TextTable table;
  for (const auto& [title, align] : {std::pair{"target", words},
                                     {"cell", words},
                                     {"sd", right},
                                     {"from", words},
                                     {"n t", right},
                                     {"n TOST", right},
                                     {"n", right},
                                     {"least", right},
                                     {"runs", right},
                                     {"time", right}})
    table.column(title, align);
  add_rows(block, [&](const PlannedContrast& planned, const SeedsNeeded& need, bool first) {
    table.row({first ? planned.contrast.target : "", first ? cell_label(planned.contrast.cell) : "", number(need.sd),
               need.from, seeds_text(need.t), seeds_text(need.tost), seeds_text(need.needed), least_p(need.needed),
               runs_text(need.needed, cost), time_text(need.needed, cost)});
  });
  return table.text(table_width);
}

std::string own(const Block& block, int64_t seeds) {
  TextTable table;
  for (const auto& [title, align] : {std::pair{"target", words},
                                     {"cell", words},
                                     {"sd", right},
                                     {"from", words},
                                     {"power t", right},
                                     {"power TOST", right},
                                     {"least", right},
                                     {"verdict", words}})
    table.column(title, align);
  add_rows(block, [&](const PlannedContrast& planned, const SeedsNeeded& need, bool first) {
    table.row({first ? planned.contrast.target : "", first ? cell_label(planned.contrast.cell) : "", number(need.sd),
               need.from, number(need.own_t_power, 2), number(need.own_tost_power, 2),
               p_value(smallest_sign_flip_p(seeds)),
               seeds < planned.verdict_n ? fmt::format("none below n = {}", planned.verdict_n) : "possible"});
  });
  return table.text(table_width);
}

std::string heading(const PlannedContrast& first) {
  const ContrastResult& contrast = first.contrast;
  std::string text = fmt::format("{} = loss({}) - loss({}); {}{}, margin {:g} nats, alpha {:.3g}", contrast.name,
                                 contrast.control, contrast.treatment, kind(contrast),
                                 contrast.positive_control ? " positive control" : "", first.margin_nats, first.alpha);
  if (first.margin_nats != contrast.margin_nats)
    text += fmt::format(" (the study file's margin is {:g}: write margin_nats = {:g} there before it runs)",
                        contrast.margin_nats, first.margin_nats);
  return wrapped(text, table_width, " ", " ");
}

std::vector<Block> blocks_of(const std::vector<PlannedContrast>& planned) {
  std::vector<Block> blocks;
  for (const PlannedContrast& row : planned) {
    const auto same = [&row](const Block& block) { return block.front()->contrast.name == row.contrast.name; };
    const auto found = std::find_if(blocks.begin(), blocks.end(), same);
    (found == blocks.end() ? blocks.emplace_back() : *found).push_back(&row);
  }
  return blocks;
}

/// "n = 12 seeds, 60 runs, roughly 3:00:00 one after another"; for the sds themselves, or for their upper limits.
std::string all_of_it(const std::vector<PlannedContrast>& planned, const SeedCost& cost, bool upper) {
  std::optional<int64_t> most = 0;
  for (const PlannedContrast& row : planned) {
    const std::optional<int64_t>& needed = (upper ? row.by_sd.back() : row.by_sd.front()).needed;
    most = most && needed ? std::optional(std::max(*most, *needed)) : std::nullopt;
  }
  if (!most) return fmt::format("more than {} seeds", count(static_cast<double>(most_seeds)));
  return fmt::format("n = {} seeds, {} runs, roughly {} one after another", *most, runs_text(most, cost),
                     time_text(most, cost));
}

std::string conclusion(const Study& study, const std::vector<PlannedContrast>& planned, const SeedCost& cost) {
  const bool limits =
      std::any_of(planned.begin(), planned.end(), [](const PlannedContrast& row) { return row.by_sd.size() > 1; });
  std::string text = "For every contrast: " + all_of_it(planned, cost, false);
  if (limits) text += "; with the upper limits of the pilot's sds " + all_of_it(planned, cost, true);
  const auto own = static_cast<int64_t>(study.settings.seeds.size());
  return "\n" + wrapped(fmt::format("{}. The study file has {} {}, {} runs, roughly {}.", text, own,
                                    own == 1 ? "seed" : "seeds", runs_text(own, cost), time_text(own, cost)),
                        table_width);
}

std::string legend(const SizeRequest& request, const std::vector<PlannedContrast>& planned) {
  const auto family =
      std::count_if(planned.begin(), planned.end(), [](const PlannedContrast& row) { return row.contrast.primary; });
  std::string text = fmt::format(
      "n t: seeds for a paired t test that finds a true gap as large as the margin with probability {:g}. n TOST: for "
      "an equivalence test that calls a true gap of 0 a tie. n: the larger, never below what a verdict needs. least: "
      "the smallest p that sign flips can give at that n. runs and time: of the whole study at that n. sd: of the "
      "paired difference, nats per token.",
      request.power);
  if (family > 1)
    text += fmt::format(
        " alpha of a primary contrast is 0.05 / {}, the first step of Holm's over {} primary tests, so that each has "
        "at least the power promised.",
        family, family);
  return wrapped(text, table_width, "  ", "  ");
}

}  // namespace

std::string sample_size_text(const Study& study, const std::vector<PlannedContrast>& planned,
                             const SizeRequest& request, const SeedCost& cost) {
  const auto seeds = static_cast<int64_t>(study.settings.seeds.size());
  std::string out = fmt::format("{}: SEEDS NEEDED for power {:g}\n", study.settings.name, request.power);
  for (const Block& block : blocks_of(planned)) out += heading(*block.front()) + needed(block, cost);
  out += legend(request, planned);
  out += fmt::format("\nWHAT n = {} CAN DECIDE: {} seeds as in the study file\n", seeds, seeds);
  for (const Block& block : blocks_of(planned)) {
    if (blocks_of(planned).size() > 1) out += wrapped(block.front()->contrast.name, table_width, " ", " ");
    out += own(block, seeds);
  }
  return out + conclusion(study, planned, cost);
}

std::string quantities_text(const std::vector<PlannedQuantity>& planned, const SizeRequest& request, int64_t seeds) {
  if (planned.empty())
    return "\n" + wrapped("S, R_net, severity and slopes are planned from a pilot whose runs have them: --pilot DIR.",
                          table_width);
  TextTable table;
  const std::string found = fmt::format("found by {}", seeds);
  for (const auto& [title, align] : {std::pair<std::string, TextTable::Align>{"quantity", words},
                                     {"of", words},
                                     {"sd", right},
                                     {"n", right},
                                     {"margin", right},
                                     {"n t", right},
                                     {"n TOST", right},
                                     {"upper", right},
                                     {found, right}})
    table.column(title, align);
  for (const PlannedQuantity& row : planned) {
    const SeedsNeeded& need = row.by_sd.front();
    const std::string of = with_cell(row.where, {});
    table.row({row.quantity, fmt::format("{}, {}{}", row.of, of, row.cell.empty() ? "" : ", " + row.cell),
               number(need.sd), count(static_cast<double>(row.pilot_n)), number(row.margin, 3), seeds_text(need.t),
               seeds_text(need.tost), seeds_text(row.by_sd.back().needed), number(row.own_found)});
  }
  return "\nSHARES, SEVERITY, SLOPES: seeds needed, each at alpha 0.05 by itself\n" + table.text(table_width) +
         wrapped(
             fmt::format("sd: of one number per seed, by the pilot's n. n t and n TOST as above, for the margin; "
                         "upper: the larger for the upper 80 % limit of the sd. found by {}: the smallest true value "
                         "that the study's own seeds find with probability {:g}. Nats, or a fraction for S, R and "
                         "R_net; slopes for each unit, or doubling, of the dose.",
                         seeds, request.power),
             table_width, "  ", "  ");
}

}  // namespace absorb
