// How many seeds a study's contrasts, and what is made of them, need, and what the study's own seeds will be able to
// decide, said before it runs. The sd of a paired difference comes from a pilot's finished runs or is stated. No model,
// no tensors.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "studies/analysis/analysis.h"

namespace absorb {

/// Another study's finished runs (or this one's first seeds), judged by the contrasts of the study that is planned.
struct Pilot {
  Path folder;
  StudyAnalysis analysis;
};
/// `both`: the arms of the study's 2 x 2, where it has one.
Pilot pilot_for(const Study& study, const Path& folder, const std::vector<RunRecord>& records,
                const std::optional<TwoByTwo>& both = std::nullopt);

struct SizeRequest {
  double margin_nats = 0;  // 0: every contrast's own
  double power = 0.8;
  double sd = 0;  // nats per token, stated; 0: none. With a pilot: for what the pilot lacks
};

/// Seeds for one sd. `needed` is the larger of the two n; absent where most_seeds are too few.
struct SeedsNeeded {
  double sd = 0;     // of the paired difference, nats per token
  std::string from;  // "pilot, n = 3", "stated", "its upper 80 % limit"
  std::optional<int64_t> t, tost, needed;
  double own_t_power = 0, own_tost_power = 0;  // with the study's own number of seeds
};

struct PlannedContrast {
  ContrastResult contrast;         // as the analysis will make it, without runs
  double margin_nats = 0;          // planned with
  double alpha = 0;                // 0.05; for one of m primary contrasts 0.05 / m, the first step of Holm's
  int64_t verdict_n = 0;           // the least n that gets a verdict
  std::vector<SeedsNeeded> by_sd;  // for the sd; where a pilot gave it, then for its upper 80 % limit
};

/// Every contrast in every target and cell; `to_come`: the records of the planned runs, which have not begun. Holm's
/// family is all primary ones, so that planning each at 0.05 / m promises at least the power. A pilot without that cell
/// serves with its runs outside any cell. UserError without a contrast, without a pilot and an sd, and where the pilot
/// lacks two paired seeds of a contrast and no sd is stated.
std::vector<PlannedContrast> plan_contrasts(const Study& study, const std::vector<RunRecord>& to_come,
                                            const std::optional<Pilot>& pilot, const SizeRequest& request);

/// What is made of several arms or targets, or of two quantities: S and R_net of a contrast, what severity and the 2 x
/// 2 are judged by, the slope of a dose. Each is one number per seed (docs/science.md section 6), and so planned like a
/// contrast, by the pilot's sd.
struct PlannedQuantity {
  std::string quantity;  // "S", "R_net", "stable", "gap_moe", "slope of gap", ...
  std::string of, where, cell;
  std::string unit;      // of sd and margin: "nats", "fraction"; of a slope: for each unit, or doubling, of the dose
  double margin = 0;     // of the row; of a slope, that of its quantity
  int64_t pilot_n = 0;   // seeds that the sd comes from
  double own_found = 0;  // with 80 % power, by the study's own number of seeds; NaN below two
  std::vector<SeedsNeeded> by_sd = {};  // for the sd, then for its upper 80 % limit
};

/// Every such quantity that the pilot has an sd of.
std::vector<PlannedQuantity> plan_quantities(const Study& study, const Pilot& pilot, const SizeRequest& request);

/// What one more seed costs.
struct SeedCost {
  int64_t runs = 0;
  double seconds = 0;  // one run after the other
};
/// The tables that `absorb plan` prints, within table_width columns.
std::string sample_size_text(const Study& study, const std::vector<PlannedContrast>& planned,
                             const SizeRequest& request, const SeedCost& cost);
/// The table of plan_quantities(); without a pilot, a line that says what it would take.
std::string quantities_text(const std::vector<PlannedQuantity>& planned, const SizeRequest& request, int64_t seeds);

}  // namespace absorb
