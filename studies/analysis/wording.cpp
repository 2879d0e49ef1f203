#include "studies/analysis/wording.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>

#include "core/error.h"
#include "core/numbers.h"
#include "statistics/verdict.h"
#include "studies/analysis/groups.h"

namespace absorb {
namespace {

/// What a verdict doesn't say by itself.
std::string because(const ContrastResult& contrast) {
  if (contrast.verdict == "undecided (n)")
    return fmt::format("; {} paired {} too few for a verdict", contrast.paired.n,
                       contrast.paired.n == 1 ? "seed is" : "seeds are");
  if (contrast.untreated) return "; " + contrast.absorbed.why_undefined;
  if (contrast.verdict == "equivalent" || contrast.verdict == "different-within-margin")
    return fmt::format("; the margin of a tie is {:g} nats", contrast.margin_nats);
  return "";
}

/// Without a minus before nothing but zeros.
std::string without_negative_zero(std::string text) {
  if (text.starts_with('-') && text.find_first_not_of("-0.") == std::string::npos) text.erase(0, 1);
  return text;
}

}  // namespace

std::string number(double value, int digits) {
  return std::isfinite(value) ? without_negative_zero(fmt::format("{:.{}f}", value, digits)) : "-";
}

std::string or_nothing(double value, int digits) {
  return std::isfinite(value) ? number(value, digits) : "";
}

std::string signed_number(double value, int digits) {
  return std::isfinite(value) ? without_negative_zero(fmt::format("{:+.{}f}", value, digits)) : "-";
}

std::string bracketed(const std::optional<Interval>& interval, int digits) {
  return interval ? fmt::format("[{}, {}]", number(interval->low, digits), number(interval->high, digits)) : "-";
}

std::string from_to(const Interval& interval, int digits) {
  return number(interval.low, digits) + " to " + number(interval.high, digits);
}

std::string p_value(double p) {
  if (!std::isfinite(p)) return "-";
  return p < 0.0001 ? "<0.0001" : fmt::format("{:.4f}", p);
}

std::string count(double value) {
  return std::isfinite(value) && value != 0 ? grouped(std::llround(value)) : "-";
}

std::string short_count(double value) {
  if (!std::isfinite(value) || value == 0) return "-";
  if (value >= 1e9) return fmt::format("{:.2f} G", value / 1e9);
  if (value >= 1e6) return fmt::format("{:.2f} M", value / 1e6);
  return value >= 1e4 ? fmt::format("{:.1f} k", value / 1e3) : grouped(std::llround(value));
}

std::string mean_sd(double mean, double sd, int digits) {
  if (!std::isfinite(mean)) return "-";
  return std::isfinite(sd) ? fmt::format("{:.{}f} +/- {:.{}f}", mean, digits, sd, digits) : number(mean, digits);
}

std::string fraction(const Ratio& ratio, int digits) {
  if (!ratio.why_undefined.empty()) return "undefined";
  return fmt::format("{:.{}f} {}", ratio.value, digits,
                     ratio.ci ? bracketed(ratio.ci, digits) : "(interval unbounded)");
}

std::string with_cell(const std::string& target, const Cell& cell) {
  const std::string label = cell_label(cell);
  return label.empty() ? target : target.empty() ? label : target + ", " + label;
}

std::string kind(const ContrastResult& contrast) {
  if (contrast.exploratory) return "exploratory";
  return contrast.primary ? "primary" : "secondary";
}

std::string quantity_label(const SeverityResult& severity) {
  if (severity.quantity == "gap") return "gap_moe - gap_attention";
  if (severity.quantity == "R") return "R_attention - R_moe";
  if (severity.quantity == "S") return "S_attention - S_moe";
  if (severity.quantity == "stable") return "V_stable_attention - V_stable_moe";
  return severity.quantity;
}

std::string answer(const ContrastResult& contrast) {
  const std::string where = with_cell(contrast.target, contrast.cell) +
                            (contrast.deployment.empty() ? "" : ", deployed " + contrast.deployment);
  if (contrast.paired.n == 0)
    return fmt::format("{} ({}): no seed of both {} and {} is done yet.", contrast.name, where, contrast.treatment,
                       contrast.control);
  const double mean = contrast.paired.mean;
  const std::string interval =
      contrast.paired.ci95 ? fmt::format("95 % interval {}, ", from_to(*contrast.paired.ci95)) : "";
  return fmt::format("{} ({}): the loss of {} is {} nats per token {} that of {} ({}n = {}{}).", contrast.name, where,
                     contrast.treatment, number(std::abs(mean)), mean >= 0 ? "below" : "above", contrast.control,
                     interval, contrast.paired.n, because(contrast));
}

std::string grounds(const ClaimResult& result) {
  const ClaimSpec& c = result.claim;
  std::string side = c.direction == "tie" ? fmt::format("within {:g} of {:g}", c.margin, c.than)
                                          : fmt::format("{} {:g}", c.direction, c.than);
  const std::string rows = fmt::format("\"{}\"{}", c.contrast, c.minus.empty() ? "" : " less \"" + c.minus + "\"");
  std::string out = fmt::format("{} of {}, {}, has to lie {}", c.quantity, rows, with_cell(c.where, {}), side);
  if (!c.cell.empty()) out += ", at " + c.cell;
  if (!std::isfinite(result.value)) return out;
  out += fmt::format(": {}{}, n = {}", signed_number(result.value, 3),
                     result.ci95 ? ", 95 % interval " + from_to(*result.ci95, 3) : "", result.n);
  if (result.verdict.starts_with("undecided") && std::isfinite(result.smallest_found))
    out += fmt::format("; the smallest distance that this study finds with 80 % power is {}",
                       number(result.smallest_found, 3));
  return out;
}

std::string answer(const SeverityResult& severity) {
  if (!std::isfinite(severity.mean)) return quantity_label(severity) + " is undefined";
  return fmt::format("{} = {}{} ({}n = {})", quantity_label(severity), signed_number(severity.mean),
                     severity.unit == "nats" ? " nats per token" : "",
                     severity.ci95 ? fmt::format("95 % interval {}, ", from_to(*severity.ci95)) : "", severity.n);
}

namespace {

/// "0.62", or why there is none.
std::string share_of(const ContrastResult& contrast) {
  return contrast.share.why_undefined.empty() ? number(contrast.share.value, 2) : "an undefined share";
}

bool decided(const std::string& verdict) {
  return verdict == name(Verdict::different) || verdict == name(Verdict::equivalent) ||
         verdict == name(Verdict::different_within_margin);
}

}  // namespace

std::string absorbs(const SeverityResult& row, const ContrastResult& attention, const ContrastResult& moe) {
  const std::string shares = fmt::format(
      "of what a fixed router is worth to training, {} needs no content in "
      "attention, against {} in MoE",
      share_of(attention), share_of(moe));
  const std::string interval = row.ci95 ? fmt::format("S_attention - S_moe = {}, 95 % interval {}, n = {}",
                                                      signed_number(row.mean, 2), from_to(*row.ci95, 2), row.n)
                                        : fmt::format("n = {}", row.n);
  if (row.verdict == name(Verdict::equivalent))
    return fmt::format("attention absorbs as much as MoE, within {:g}: {} ({})", row.margin, shares, interval);
  if (decided(row.verdict))
    return fmt::format("attention absorbs {} than MoE: {} ({})", row.mean > 0 ? "more" : "less", shares, interval);
  if (!std::isfinite(row.mean))
    return fmt::format("which target absorbs more can't be said: {}; {}", shares,
                       attention.share.why_undefined.empty() ? moe.share.why_undefined : attention.share.why_undefined);
  return fmt::format(
      "which target absorbs more can't be said ({}): {} ({}); the smallest difference in S that this "
      "study finds with 80 % power is {}",
      row.verdict, shares, interval, number(row.smallest_found, 2));
}

std::vector<std::string> absorption_sentences(const StudyAnalysis& analysis) {
  std::vector<std::string> sentences;
  const auto side = [&](const SeverityResult& row, const char* target) {
    return std::ranges::find_if(analysis.contrasts, [&](const ContrastResult& result) {
      return result.target == target && result.name == row.contrast && result.cell == row.cell;
    });
  };
  for (const SeverityResult& row : analysis.severity) {
    if (row.quantity != "S") continue;
    const auto attention = side(row, "attention"), moe = side(row, "moe");
    check(attention != analysis.contrasts.end() && moe != analysis.contrasts.end(),
          "[wording] S without its contrasts");
    std::string sentence = absorbs(row, *attention, *moe);
    sentence[0] = static_cast<char>(std::toupper(sentence[0]));
    sentences.push_back(fmt::format("{} ({}).", sentence, with_cell(row.contrast, row.cell)));
  }
  return sentences;
}

std::string concentration_line(const Concentration& line) {
  if (line.mass.n == 0 && line.random_cost.n == 0) return no_concentration();
  const std::string cell = cell_label(line.cell);
  const std::string uniform =
      line.uniform_mass.n > 0 ? fmt::format(" (uniform attention: {})", number(line.uniform_mass.mean, 3)) : "";
  const std::string margin =
      fmt::format(" (a choice of keys has to be worth {:g} nats; it is worth {}{})", margin_of_masks,
                  number(line.excess.mean), line.excess.ci95 ? ", 95 % interval " + from_to(*line.excess.ci95) : "");
  const auto judgement = [&]() -> std::string {
    switch (line.masks) {
      case Masks::matter:
        return "masks matter here" + margin;
      case Masks::do_not_matter:
        return "masks do not matter here" + margin + ", so attention gets no verdict on routing";
      case Masks::cannot_be_said:
        return "it can't be said whether masks matter here" + margin + ", so attention gets no verdict on routing";
      default:
        return "too few seeds to say whether masks matter here";
    }
  }();
  return fmt::format(
      "Concentration on the dense arm{} (n = {}): the top {} keys hold {} of the attention mass{}; keeping the "
      "oracle's "
      "top {} costs {} nats, a random {} costs {} nats: {}.",
      cell.empty() ? "" : " at " + cell, line.random_cost.n, line.k, mean_sd(line.mass.mean, line.mass.sd, 3), uniform,
      line.k, mean_sd(line.oracle_cost.mean, line.oracle_cost.sd), line.k,
      mean_sd(line.random_cost.mean, line.random_cost.sd), judgement);
}

std::vector<std::string> sharing_runs(const StudyAnalysis& analysis, const ContrastResult& contrast) {
  const auto arms = [](const ContrastResult& of) {
    std::vector<std::string> out = {of.treatment, of.control};
    for (const std::string& third : {of.redrawn, of.always})
      if (!third.empty()) out.push_back(third);
    return out;
  };
  std::vector<std::string> names;
  for (const ContrastResult& other : analysis.contrasts) {
    if (other.name == contrast.name || std::ranges::find(names, other.name) != names.end()) continue;
    const std::vector<std::string> mine = arms(contrast), its = arms(other);
    if (std::ranges::any_of(mine, [&](const std::string& arm) { return std::ranges::find(its, arm) != its.end(); }))
      names.push_back(other.name);
  }
  return names;
}

std::vector<std::string> expert_lines(const StudyAnalysis& analysis) {
  std::vector<std::string> lines;
  for (const ContrastResult& row : analysis.contrasts) {
    const Masks masks = masks_worth(row.swap_cost);
    if (row.target != "moe" || !row.twin || masks == Masks::untested) continue;
    const std::string line = fmt::format(
        "Choice of experts in {} (n = {}): a random one costs {} nats, 95 % interval {}, against a margin of {:g}: {}.",
        with_cell(row.treatment, row.cell), row.swap_cost.n, number(row.swap_cost.mean), from_to(*row.swap_cost.ci95),
        margin_of_masks,
        masks == Masks::matter          ? "it matters here"
        : masks == Masks::do_not_matter ? "it does not matter here"
                                        : "it can't be said whether it matters here");
    if (std::ranges::find(lines, line) == lines.end()) lines.push_back(line);
  }
  return lines;
}

std::string note_on_gains(const StudyAnalysis& analysis) {
  std::vector<std::string> names;
  for (const DeploymentSummary& row : analysis.deployments)  // gains are held against exact swaps wherever they route
    if (row.gain_correlation.n > 0 && std::ranges::find(names, row.key) == names.end()) names.push_back(row.key);
  if (names.empty()) return "";
  return fmt::format(
      "{}: in MoE the oracle sees the targets: it routes by gains that are measured with the very tokens to be "
      "predicted, so that its loss bounds what routing could do and no router can reach it.",
      join(names));
}

std::string stages_sentence(const Stages& stages) {
  const std::string plan = fmt::format(
      "seeds until every primary contrast and claim has its verdict, with a look at each n from {} to {}; a look's "
      "level "
      "is below 5 % so that all of them together keep it (docs/science.md section 6), and intervals are those of the "
      "seeds that are there. ",
      stages.least, stages.most);
  if (stages.decided > 0) return plan + fmt::format("Decided at n = {}.", stages.decided);
  return plan + (stages.now == stages.most ? "Undecided with all of them."
                                           : fmt::format("Not decided yet, at n = {}.", stages.now));
}

std::string no_concentration() {
  return "Concentration: no dense run is done, so nothing says yet whether masks matter here.";
}

}  // namespace absorb
