// From records to answers: contrasts, absorbed fractions, severities (science.md sections 4 and 6). No model, no
// tensors.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "statistics/equivalence.h"
#include "statistics/factorial.h"
#include "statistics/fieller.h"
#include "statistics/paired.h"
#include "studies/folder/record.h"
#include "studies/study/study.h"

namespace absorb {

/// One planned contrast in one target and axis cell. mean_nats = loss(control) - loss(treatment), paired by seed:
/// positive when the treatment is better.
struct ContrastResult {
  std::string name, target, treatment, control, deployment;
  std::map<std::string, std::string> cell;
  bool primary = false, exploratory = false;  // exploratory: not in analysis.lock
  bool positive_control = false;
  std::vector<int64_t> seeds;
  std::vector<double> differences;  // element i of seed i, as swap_costs
  std::vector<double> swap_costs;   // of the treatment; NaN where no swap was evaluated
  std::vector<double> calibrated_costs;
  std::vector<double> lock_ins;  // swap costs of the control; NaN where it is no twin
  Paired paired;
  double margin_nats = 0, p_tost = 0;
  double holm_p = 0, holm_p_tost = 0;      // NaN outside the family of primary contrasts
  double variance_ratio = 0;               // of the losses over seeds, treatment over control
  std::optional<Interval> ci95_documents;  // over seeds x documents
  /// Swap cost of the treatment (loss of its weights under a matched random router minus its own) and the absorbed
  /// fraction R = 1 - gap / swap cost.
  Paired swap_cost;
  Ratio absorbed;
  /// The same of a swap whose logits are divided by the temperature that suits it best.
  Paired calibrated_cost;
  Ratio calibrated;
  /// Lock-in: the control's own swap cost, another draw in place of its own. Content cost: the treatment's minus it, by
  /// seed. R_net = 1 - gap / content cost. All of these, and S, exist only where `twin`.
  Paired lock_in, content_cost;
  Ratio net;
  bool twin = false;  // the control is the treatment with its routers frozen at a random draw, and nothing else
  /// The absorbed share S (docs/science.md section 4): what any fixed router is worth, loss(redrawn) - loss(control),
  /// as a share of that and the gap. Over the seeds that all three arms have; `stable` is NaN elsewhere.
  std::string redrawn;
  std::vector<double> stable_by_seed;
  Paired stable;
  Ratio share;
  /// The absorption index A (docs/science.md section 4): 1 - gap / (loss(control) - loss(always)), over the seeds that
  /// all three have.
  std::string always;
  std::vector<double> reference_by_seed;  // loss(control) - loss(always); NaN elsewhere
  Ratio index;
  /// Swapped, the treatment is worse than a guess that reads nothing: the cost, and R, measure confident wrong answers.
  bool swapped_below_chance = false;
  double smallest_found = 0;  // the true gap that this n and sd find with 80 % power; NaN for n < 2
  /// The treatment's trainable router had a gradient of exactly 0 in every account: nothing but weight decay moved it.
  bool untreated = false;
  std::string verdict;
};
/// The verdict of a contrast, and of a severity, whose treatment never was one.
inline constexpr const char* no_treatment = "no treatment";

/// Differences between targets of one contrast: "S" (S_attention - S_moe) and "stable" in nats (V_stable, attention -
/// moe), where there is a redrawn arm; "gap" in nats (gap_moe - gap_attention) and "R" (R_attention - R_moe); in target
/// both also the 2 x 2: gap_attention, gap_moe, interaction. The verdict on severity
/// rests on both scales, so both rows carry the same. No p here is adjusted.
struct SeverityResult {
  std::string between;                   // "attention - moe", "within both"
  std::string contrast, quantity, unit;  // unit: "nats", or "fraction" for R
  std::map<std::string, std::string> cell;
  bool exploratory = false;
  int64_t n = 0;
  double mean = 0, sd = 0, p_t = 0;
  double margin = 0, p_tost = 0;  // in `unit`
  double smallest_found = 0;      // in `unit`: the true difference that this n and sd find with 80 % power
  std::optional<Interval> ci95;
  std::vector<double> by_seed;  // what the row is the mean of
  std::string verdict;
};

/// A claim and what the row it names says of it. The value and its interval are in the quantity's own unit.
struct ClaimResult {
  ClaimSpec claim;
  int64_t n = 0;
  double value = 0;
  std::optional<Interval> ci95;
  double smallest_found = 0;  // the true distance that this n and sd find with 80 % power; NaN where there is no sd
  std::string verdict;        // "supported", "contradicted", "undecided", "undecided (n)", or why there is no row
  bool exploratory = false;   // stated after the first step
};

struct ArmSummary {
  std::string arm, target;
  std::map<std::string, std::string> cell;
  int64_t n = 0, failed = 0;
  double loss_mean = 0, loss_sd = 0;  // valid loss over done runs; NaN without any, as all below
  std::optional<Interval> ci95;
  double swap_cost_mean = 0;
  int64_t parameters = 0;
  double flops_per_token = 0, density = 0, displacement = 0, tokens_per_sec = 0;
};

/// Whether it matters in a cell which keys attention keeps: what random keys cost the dense arm more than the oracle's
/// lies, with its 95 % interval, above the margin, below it, or on both sides; or no dense arm says.
enum class Masks { matter, do_not_matter, cannot_be_said, untested };
/// "matter", "do not matter", "can't be said", "untested".
std::string name(Masks masks);
/// Nats per token: what a choice of keys has to be worth for it to matter.
inline constexpr double margin_of_masks = 0.02;
/// Whether a choice that is worth so much matters; untested without an interval.
Masks masks_worth(const Paired& worth);

/// The line that says whether masks can matter here at all (science.md section 2, trap 8), from the dense arm.
struct Concentration {
  int64_t k = 0;
  std::map<std::string, std::string> cell;
  Summary mass, uniform_mass, oracle_cost, random_cost;  // shares; nats
  Paired excess;                                         // random minus oracle cost, by seed
  Masks masks = Masks::untested;
};

/// Routing information of one kind of routing, over seeds: bits an observation (docs/science.md section 4).
struct InformationSummary {
  Paired bits;                     // corrected
  Summary null_95;                 // of permuted labels
  Summary ceiling, label_entropy;  // what a probe of the input says; what there is to say
  double largest_p = 0;            // of the permutations, over seeds
};

/// One deployment of one arm in one target and cell, over seeds.
struct DeploymentSummary {
  std::string key, deployment;  // "transplant.learned", "transplant"
  std::string arm, target;
  std::map<std::string, std::string> cell;
  Summary loss;                                           // nats per token, deployed
  Paired cost;                                            // deployed minus native, by seed
  Summary open_cost, compounding;                         // n = 0 unless both loops were asked for
  std::vector<Summary> hardening;                         // loss with the first r layers deployed
  std::map<std::string, AgreementRecord> agreement;       // means, by kind of routing
  Summary gain_correlation;                               // over sites and seeds
  std::map<std::string, InformationSummary> information;  // by kind of routing
};

/// How a contrast changes along one axis: the slope of a quantity against the dose, fitted for every seed, with its t
/// interval over seeds. Doses that are all positive count by their logarithm to base 2: nats, or R, for each doubling.
struct DoseResult {
  std::string contrast, target, axis;
  std::map<std::string, std::string> rest;  // of the other axes
  std::string dose;                         // "value", or router parameters over one of the four denominators
  bool logarithmic = false;
  std::string quantity;         // "gap" in nats, "R"
  std::vector<double> doses;    // in the order of the axis
  std::vector<Summary> points;  // the quantity at each
  int64_t n = 0;                // seeds with every dose
  double slope = 0, sd = 0, p_t = 0;
  std::optional<Interval> ci95;
};

/// Where a plan in stages stands: looks at every n from `least` on.
struct Stages {
  int64_t least = 0, most = 0, now = 0;  // seeds; now: that every row which is to be decided has
  int64_t decided = 0;                   // at the first look at which all of these had a verdict; 0: not yet
};

struct StudyAnalysis {
  std::vector<ArmSummary> arms;
  std::vector<ContrastResult> contrasts;
  std::vector<SeverityResult> severity;
  std::vector<ClaimResult> claims;
  std::vector<Concentration> concentration;
  std::vector<DeploymentSummary> deployments;
  std::vector<DoseResult> doses;
  std::optional<Stages> stages;
};

/// What a tie between two absorbed fractions means (docs/science.md section 6).
inline constexpr double margin_of_fraction = 0.1;

/// `locked`, `locked_claims`: names of the contrasts and sentences of the claims in analysis.lock. `both`: the arms of
/// the 2 x 2, where the study has one. Runs that are not done count as absent; seeds are paired by intersection. In a
/// plan in stages a verdict is that of the first look which had one; what a later look says of its row changes no word.
StudyAnalysis analyse(const Study& study, const std::vector<RunRecord>& records, const std::vector<std::string>& locked,
                      const std::optional<TwoByTwo>& both = std::nullopt,
                      const std::vector<std::string>& locked_claims = {});

}  // namespace absorb
