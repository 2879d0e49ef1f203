#include <algorithm>
#include <cmath>

#include "core/numbers.h"
#include "statistics/power.h"
#include "statistics/verdict.h"
#include "studies/analysis/rows/quantities.h"
#include "studies/analysis/rows/rows.h"

namespace absorb {
namespace {

/// Two scales of the same severity, by seed; `fraction` empty where R is undefined in either target.
struct Scales {
  std::vector<double> gap, fraction;
};

SeverityResult row(const SeverityResult& common, const std::string& quantity, const std::string& unit,
                   const std::vector<double>& by_seed, double margin) {
  const Paired test = paired(by_seed);
  SeverityResult result = common;
  result.quantity = quantity;
  result.unit = unit;
  result.n = test.n;
  result.mean = test.mean;
  result.sd = test.sd;
  result.p_t = test.p_t;
  result.margin = margin;
  result.p_tost = margin > 0 ? tost(by_seed, margin).p : nan;
  result.ci95 = test.ci95;
  result.by_seed = by_seed;
  result.smallest_found = smallest_found(test.sd, test.n);
  return result;
}

Evidence evidence(const Study& study, const SeverityResult& result) {
  return {result.n, result.mean, judged_p(study, result.p_t, StagedTest::t, result.n),
          judged_p(study, result.p_tost, StagedTest::tost, result.n), false};
}

std::vector<double> minus(const std::vector<double>& a, const std::vector<double>& b) {
  return a.size() == b.size() ? differences(a, b) : std::vector<double>{};
}

/// The rows of both scales with their common verdict.
void add_scales(const Study& study, std::vector<SeverityResult>& out, const SeverityResult& common,
                const Scales& scales, double margin, Masks masks) {
  SeverityResult gap = row(common, "gap", "nats", scales.gap, margin);
  SeverityResult fraction = row(common, "R", "fraction", scales.fraction, margin_of_fraction);
  Evidence of_fraction = evidence(study, fraction);
  of_fraction.n = gap.n;  // R undefined is no lack of seeds
  std::string word(name(severity_verdict(of_fraction, evidence(study, gap))));
  if (word == name(Verdict::undecided) && std::isnan(fraction.mean)) word = "undecided (R undefined)";
  gap.verdict = fraction.verdict = with_masks(word, masks);
  out.push_back(gap);
  out.push_back(fraction);
}

/// The quantity in both targets, over the seeds that both have.
std::pair<Quantity, Quantity> in_both(const ContrastResult& attention, const ContrastResult& moe, const char* name) {
  return over_common_seeds(quantity_of(attention, name), quantity_of(moe, name));
}

/// attention - moe by seed; empty where the quantity is undefined in either.
std::vector<double> minus(const std::pair<Quantity, Quantity>& targets) {
  return minus(targets.first.by_seed(), targets.second.by_seed());
}

/// S_attention - S_moe and V_stable, attention - moe, each judged by itself: S is the primary quantity.
void add_shares(const Study& study, std::vector<SeverityResult>& out, const SeverityResult& common,
                const ContrastResult& attention, const ContrastResult& moe, Masks masks) {
  if (attention.redrawn.empty()) return;
  const auto shares = in_both(attention, moe, "S");
  SeverityResult share = row(common, "S", "fraction", minus(shares), margin_of_fraction);
  Evidence of_share = evidence(study, share);
  of_share.n = static_cast<int64_t>(shares.first.seeds.size());  // S undefined is no lack of seeds
  std::string word(name(verdict(of_share)));
  if (word == name(Verdict::undecided) && std::isnan(share.mean)) word = "undecided (S undefined)";
  share.verdict = with_masks(word, masks);
  SeverityResult nats =
      row(common, "stable", "nats", minus(in_both(attention, moe, "V_stable")), attention.margin_nats);
  nats.verdict = with_masks(std::string(name(verdict(evidence(study, nats)))), masks);
  out.push_back(share);
  out.push_back(nats);
}

/// gap_moe - gap_attention and R_attention - R_moe over the seeds that both targets have.
Scales between_twins(const ContrastResult& attention, const ContrastResult& moe) {
  return {minus(in_both(moe, attention, "gap")), minus(in_both(attention, moe, "R"))};
}

void add_twins(const Study& study, std::vector<SeverityResult>& out, const StudyAnalysis& analysis) {
  for (const ContrastResult& attention : analysis.contrasts) {
    if (attention.target != "attention") continue;
    for (const ContrastResult& moe : analysis.contrasts) {
      if (!attention.twin || !moe.twin || moe.target != "moe" || moe.name != attention.name ||
          moe.cell != attention.cell)
        continue;
      SeverityResult common;
      common.between = "attention - moe";
      common.contrast = attention.name;
      common.cell = attention.cell;
      common.exploratory = attention.exploratory;
      const Masks masks = attention.positive_control ? Masks::matter : masks_in(analysis.concentration, attention.cell);
      const std::size_t first = out.size();
      add_shares(study, out, common, attention, moe, masks);
      add_scales(study, out, common, between_twins(attention, moe), attention.margin_nats, masks);
      if (attention.untreated || moe.untreated)
        for (std::size_t row = first; row < out.size(); ++row) out[row].verdict = no_treatment;
    }
  }
}

/// Runs of the four arms over the seeds that all of them have.
struct Square {
  std::vector<const RunRecord*> ll, rl, lr, rr;
};

const RunRecord* of_seed(const RunGroup& group, int64_t seed) {
  for (const RunRecord* run : group.done)
    if (run->seed == seed) return run;
  return nullptr;
}

std::optional<Square> find_square(const std::vector<RunGroup>& groups, const TwoByTwo& arms, const Cell& cell) {
  const RunGroup* ll = find_group(groups, arms.ll, "both", cell);
  const RunGroup* rl = find_group(groups, arms.rl, "both", cell);
  const RunGroup* lr = find_group(groups, arms.lr, "both", cell);
  const RunGroup* rr = find_group(groups, arms.rr, "both", cell);
  if (ll == nullptr || rl == nullptr || lr == nullptr || rr == nullptr) return std::nullopt;
  Square square;
  for (const RunRecord* run : ll->done) {
    const RunRecord *second = of_seed(*rl, run->seed), *third = of_seed(*lr, run->seed),
                    *fourth = of_seed(*rr, run->seed);
    if (second == nullptr || third == nullptr || fourth == nullptr) continue;
    square.ll.push_back(run);
    square.rl.push_back(second);
    square.lr.push_back(third);
    square.rr.push_back(fourth);
  }
  return square;
}

Factorial effects_of(const Square& square) {
  const auto loss = [](const RunRecord& run) { return run.val_loss; };
  const std::vector<double> ll = values_of(square.ll, loss), rl = values_of(square.rl, loss),
                            lr = values_of(square.lr, loss), rr = values_of(square.rr, loss);
  return factorial({ll, rl, lr, rr});
}

void add_square(const Study& study, std::vector<SeverityResult>& out, const SeverityResult& common,
                const Square& square, double margin, Masks masks) {
  const Factorial effects = effects_of(square);
  const auto add = [&](const std::string& quantity, const Effect& effect, Masks gate) {
    SeverityResult result = row(common, quantity, "nats", effect.by_seed, margin);
    result.verdict = with_masks(std::string(name(verdict(evidence(study, result)))), gate);
    out.push_back(result);
  };
  add("gap_attention", effects.gap_attention, masks);
  add("gap_moe", effects.gap_moe, Masks::matter);
  add("interaction", effects.interaction, masks);
  const auto cost = [&square](const char* deployment) {
    return values_of(square.ll, [&](const RunRecord& run) { return deployment_cost(run, deployment); });
  };
  const Scales scales{effects.severity.by_seed,
                      minus(absorbed_fraction_by_seed(effects.gap_attention.by_seed, cost("swap_attention")),
                            absorbed_fraction_by_seed(effects.gap_moe.by_seed, cost("swap_moe")))};
  add_scales(study, out, common, scales, margin, masks);
}

/// The contrast between the arm whose routers all learn and the one whose routers are all random, if it was planned.
const ContrastSpec* diagonal(const Study& study, const TwoByTwo& arms) {
  for (const ContrastSpec& spec : study.contrasts)
    if (spec.treatment == arms.ll && spec.control == arms.rr) return &spec;
  return nullptr;
}

void add_within(std::vector<SeverityResult>& out, const Study& study, const std::vector<RunGroup>& groups,
                const StudyAnalysis& analysis, const TwoByTwo& arms) {
  const ContrastSpec* spec = diagonal(study, arms);
  for (const Cell& cell : cells_of(groups)) {
    const auto square = find_square(groups, arms, cell);
    if (!square) continue;
    SeverityResult common;
    common.between = "within both";
    common.contrast = spec != nullptr ? spec->name : "2 x 2";
    common.cell = cell;
    for (const ContrastResult& result : analysis.contrasts)
      if (result.name == common.contrast) common.exploratory = result.exploratory;
    add_square(study, out, common, *square, spec != nullptr ? spec->margin_nats : ContrastSpec{}.margin_nats,
               masks_in(analysis.concentration, cell));
  }
}

}  // namespace

std::vector<SeverityResult> make_severity(const Study& study, const std::vector<RunGroup>& groups,
                                          const StudyAnalysis& analysis, const std::optional<TwoByTwo>& both) {
  std::vector<SeverityResult> results;
  add_twins(study, results, analysis);
  if (both) add_within(results, study, groups, analysis, *both);
  return results;
}

}  // namespace absorb
