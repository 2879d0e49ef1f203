#include "studies/analysis/sample_size.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "statistics/power.h"
#include "studies/analysis/wording.h"

namespace absorb {
namespace {

constexpr double alpha = 0.05;

/// The contrasts that the analysis will make, from runs that have not begun.
std::vector<ContrastResult> contrasts_to_come(const Study& study, const std::vector<RunRecord>& to_come) {
  std::vector<std::string> names;
  for (const ContrastSpec& contrast : study.contrasts) names.push_back(contrast.name);
  return analyse(study, to_come, names).contrasts;
}

const ContrastResult* in_pilot(const Pilot& pilot, const ContrastResult& planned) {
  const ContrastResult* outside = nullptr;
  for (const ContrastResult& found : pilot.contrasts) {
    if (found.name != planned.name || found.target != planned.target) continue;
    if (found.cell == planned.cell) return &found;
    if (found.cell.empty()) outside = &found;
  }
  return outside;
}

std::string where(const ContrastResult& contrast) {
  return fmt::format("contrast \"{}\" in {}", contrast.name, with_cell(contrast.target, contrast.cell));
}

/// The paired differences to take the sd from; null where the stated sd has to do.
const ContrastResult* source_of(const std::optional<Pilot>& pilot, const ContrastResult& planned, double stated) {
  const ContrastResult* found = pilot ? in_pilot(*pilot, planned) : nullptr;
  const int64_t n = found == nullptr ? 0 : found->paired.n;
  if (n >= 2 && found->paired.sd > 0) return found;
  if (stated > 0) return nullptr;
  require(pilot.has_value(),
          "a planner without a variance: give --pilot DIR, a study's folder whose finished runs show how much the "
          "paired difference varies over seeds, or state that with --sd S (nats per token)");
  const std::string folder = pilot->folder.string(), what = where(planned);
  require(n != 0, "{}: no seed of both arms \"{}\" and \"{}\" is done there, which {} needs; train them or state --sd",
          folder, planned.treatment, planned.control, what);
  require(n != 1, "{}: {} has one paired seed there, and an sd needs two: train another or state --sd", folder, what);
  user_error("{}: the {} paired differences of {} are all the same, so they show no sd: state it with --sd", folder, n,
             what);
}

SeedsNeeded seeds_needed(PairedDesign design, std::string from, const SizeRequest& request, int64_t own_seeds) {
  SeedsNeeded result{design.sd,
                     std::move(from),
                     seeds_for_t(design, request.power),
                     seeds_for_tost(design, request.power),
                     std::nullopt,
                     t_power(design, own_seeds),
                     tost_power(design, own_seeds)};
  if (result.t && result.tost) result.needed = std::max(*result.t, *result.tost);
  return result;
}

}  // namespace

Pilot pilot_for(const Study& study, const Path& folder, const std::vector<RunRecord>& records) {
  return {folder, analyse(study, records, {}).contrasts};
}

std::vector<PlannedContrast> plan_contrasts(const Study& study, const std::vector<RunRecord>& runs,
                                            const std::optional<Pilot>& pilot, const SizeRequest& request) {
  const std::vector<ContrastResult> to_come = contrasts_to_come(study, runs);
  require(!to_come.empty(), "{}: no contrast to plan for: add a [[contrast]] with `treatment` and `control`",
          study.file.string());
  const auto family =
      std::count_if(to_come.begin(), to_come.end(), [](const ContrastResult& contrast) { return contrast.primary; });
  const auto own_seeds = static_cast<int64_t>(study.settings.seeds.size());
  std::vector<PlannedContrast> planned;
  for (const ContrastResult& contrast : to_come) {
    PlannedContrast row;
    row.contrast = contrast;
    row.margin_nats = request.margin_nats > 0 ? request.margin_nats : contrast.margin_nats;
    require(row.margin_nats > 0, "{} has no margin: give --margin-nats M", where(contrast));
    row.alpha = contrast.primary ? alpha / static_cast<double>(family) : alpha;
    row.verdict_n = contrast.positive_control ? positive_control_n : verdict_n;
    const ContrastResult* source = source_of(pilot, contrast, request.sd);
    PairedDesign design{source != nullptr ? source->paired.sd : request.sd, row.margin_nats, row.alpha, row.verdict_n};
    const std::string from = source == nullptr ? "stated" : fmt::format("pilot, n = {}", source->paired.n);
    row.by_sd.push_back(seeds_needed(design, from, request, own_seeds));
    if (source != nullptr) {
      design.sd = sd_upper_limit(design.sd, source->paired.n);
      row.by_sd.push_back(seeds_needed(design, "its upper 80 % limit", request, own_seeds));
    }
    planned.push_back(std::move(row));
  }
  return planned;
}

}  // namespace absorb
