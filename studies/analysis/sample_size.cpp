#include "studies/analysis/sample_size.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "statistics/power.h"
#include "studies/analysis/groups.h"
#include "studies/analysis/rows/quantities.h"
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
  for (const ContrastResult& found : pilot.analysis.contrasts) {
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

/// The row as planned from `test`, whose sd is one of the study's own seeds as well; absent where there is none.
void add_quantity(std::vector<PlannedQuantity>& out, PlannedQuantity row, double sd, int64_t n, const Study& study,
                  const SizeRequest& request) {
  if (n < 2 || !(sd > 0) || !(row.margin > 0)) return;
  const auto own_seeds = static_cast<int64_t>(study.settings.seeds.size());
  PairedDesign design{sd, row.margin, alpha, verdict_n};
  row.pilot_n = n;
  row.own_found = smallest_found(sd, own_seeds, request.power);
  row.by_sd.push_back(seeds_needed(design, fmt::format("pilot, n = {}", n), request, own_seeds));
  design.sd = sd_upper_limit(sd, n);
  row.by_sd.push_back(seeds_needed(design, "its upper 80 % limit", request, own_seeds));
  out.push_back(std::move(row));
}

void add_shares(std::vector<PlannedQuantity>& out, const ContrastResult& of, const Study& study,
                const SizeRequest& request) {
  const PlannedQuantity row{"", of.name, of.target, cell_label(of.cell), "fraction", margin_of_fraction};
  for (const char* name : {"S", "R_net"}) {
    const Summary summary = summarize(quantity_of(of, name).by_seed());
    PlannedQuantity named = row;
    named.quantity = name;
    add_quantity(out, std::move(named), summary.sd, summary.n, study, request);
  }
}

}  // namespace

Pilot pilot_for(const Study& study, const Path& folder, const std::vector<RunRecord>& records,
                const std::optional<TwoByTwo>& both) {
  return {folder, analyse(study, records, {}, both)};
}

std::vector<PlannedQuantity> plan_quantities(const Study& study, const Pilot& pilot, const SizeRequest& request) {
  std::vector<PlannedQuantity> out;
  for (const ContrastResult& contrast : pilot.analysis.contrasts) add_shares(out, contrast, study, request);
  for (const SeverityResult& found : pilot.analysis.severity) {
    PlannedQuantity row{found.quantity,         found.contrast, found.between,
                        cell_label(found.cell), found.unit,     found.margin};
    add_quantity(out, std::move(row), found.sd, found.n, study, request);
  }
  for (const DoseResult& dose : pilot.analysis.doses) {
    if (dose.dose != "value") continue;
    const auto spec = std::ranges::find(study.contrasts, dose.contrast, &ContrastSpec::name);
    const bool nats = dose.quantity == "gap";
    const double margin = nats && spec != study.contrasts.end() ? spec->margin_nats : margin_of_fraction;
    PlannedQuantity row{"slope of " + dose.quantity,         dose.contrast,
                        dose.target + " along " + dose.axis, cell_label(dose.rest),
                        nats ? "nats" : "fraction",          margin};
    add_quantity(out, std::move(row), dose.sd, dose.n, study, request);
  }
  return out;
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
