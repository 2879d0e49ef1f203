// How numbers and verdicts are written, the same on the terminal, in the methods paragraph and on the page. Plain
// ASCII.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "studies/analysis/analysis.h"

namespace absorb {

/// Fixed digits; "-" for a NaN.
std::string number(double value, int digits = 4);
/// The same, and nothing for a NaN: for columns that few rows fill.
std::string or_nothing(double value, int digits = 4);
/// With a sign in front.
std::string signed_number(double value, int digits = 4);
/// "[0.0123, 0.0456]", or "-".
std::string bracketed(const std::optional<Interval>& interval, int digits = 4);
/// "0.0123 to 0.0456", for sentences.
std::string from_to(const Interval& interval, int digits = 4);
/// Four digits, "<0.0001" below; "-" for a NaN.
std::string p_value(double p);
/// "1,234,567"; "-" for 0 and NaN.
std::string count(double value);
/// "1.23 M", "456 k": three significant digits; "-" for 0 and NaN.
std::string short_count(double value);
/// "1.2345 +/- 0.0067", or the mean alone where there is no sd.
std::string mean_sd(double mean, double sd, int digits = 4);
/// "0.85 [0.80, 0.90]" or "undefined".
std::string fraction(const Ratio& ratio, int digits = 3);
/// The two together with a blank between them; nothing where both are empty.
std::string with_cell(const std::string& target, const std::map<std::string, std::string>& cell);

/// "primary", "secondary" (planned, outside Holm), "exploratory" (added after the first step).
std::string kind(const ContrastResult& contrast);
/// Names of the other contrasts that share an arm with this one, so that their rows rest on the same runs.
std::vector<std::string> sharing_runs(const StudyAnalysis& analysis, const ContrastResult& contrast);
/// What stands between the twins as a word: "gap_moe - gap_attention", "R_attention - R_moe", ...
std::string quantity_label(const SeverityResult& severity);
/// The answer of one contrast in one target as a sentence.
std::string answer(const ContrastResult& contrast);
/// The mission's sentence, without a full stop, of the row "S" between the twins: which target absorbs more, or what
/// this study could have found.
std::string absorbs(const SeverityResult& row, const ContrastResult& attention, const ContrastResult& moe);
/// absorbs() of every such row, with a capital letter, the contrast and cell, and a full stop.
std::vector<std::string> absorption_sentences(const StudyAnalysis& analysis);
/// "S of severity in \"absorbed share\" above 0: -0.84, 95 % interval ...", what decides a claim.
std::string grounds(const ClaimResult& claim);
/// How a plan in stages went: "seeds until every primary contrast and claim has its verdict, ...".
std::string stages_sentence(const Stages& stages);
/// One row of the severity as a clause.
std::string answer(const SeverityResult& severity);
/// The concentration line of science.md section 2, trap 8.
std::string concentration_line(const Concentration& concentration);
/// Whether it matters which experts a token is sent to: what a random choice costs each trained treatment in MoE.
std::vector<std::string> expert_lines(const StudyAnalysis& analysis);
/// Which deployments route experts by their measured gains, that see the targets; empty where none does.
std::string note_on_gains(const StudyAnalysis& analysis);
/// For a study without a dense run that is done.
std::string no_concentration();

}  // namespace absorb
