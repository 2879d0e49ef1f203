#include "compensation/measures/router_recovery.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <tuple>

#include "compensation/recovery/dose.h"
#include "compensation/recovery/sampling.h"
#include "core/error.h"
#include "core/numbers.h"

namespace absorb {
namespace {

bool is_coalition(const Group& group) {
  return std::find(coalition_names.begin(), coalition_names.end(), group.name) != coalition_names.end();
}

/// Rounded down to two digits, so that what costs `damage` can be asked for it.
double below(double damage) {
  const double unit = std::pow(10.0, std::floor(std::log10(damage)) - 1);
  return std::floor(damage / unit) * unit;
}

/// Whole swaps have no damage to double.
int64_t doublings(const CompensationSettings& settings) {
  return settings.damage > 0 ? settings.damage_doublings : 0;
}

/// The groups that adapt in one dimension.
std::vector<Group> groups_at(const std::vector<Group>& groups, bool first) {
  std::vector<Group> result;
  std::copy_if(groups.begin(), groups.end(), std::back_inserter(result),
               [&](const Group& group) { return first || is_coalition(group); });
  return result;
}

/// One router: its sample, its dose, and what every group makes up for.
class RouterRecovery {
 public:
  RouterRecovery(Adaptations& cells, const CompensationSettings& settings, WorkProgress& progress,
                 const Component& router)
      : cells_(cells),
        settings_(settings),
        progress_(progress),
        groups_(recovery_groups(cells.subject().components(), router)) {
    result_.router = router;
    result_.steps = settings.steps;
    result_.draws = settings.draws;
    result_.damage = settings.damage;
    for (std::size_t player = 0; player < 3; ++player)
      for (const Component& component : group_named(coalition_names[1U << player]).components)
        result_.numbers[player] += cells.subject().numbers(component);
  }

  RecoveryResult run() {
    measure_swap();
    if (!above_noise(result_.swap_cost)) {
      leave_undefined();
      return result_;
    }
    match_dose();
    for (std::size_t d = 0; d < settings_.dimensions.size(); ++d)
      result_.capacities.push_back(at_dimension(settings_.dimensions[d], d == 0));
    for (int64_t i = 1; i <= doublings(settings_); ++i)
      result_.doses.push_back(at_damage(std::ldexp(settings_.damage, static_cast<int>(i))));
    if (settings_.random_partitions > 0) result_.capacities.front().size_matched = size_matched();
    if (!result_.diverged.empty()) note(describe(result_.diverged));
    return result_;
  }

  const std::vector<std::string>& notes() const { return notes_; }

 private:
  void note(const std::string& what) { notes_.push_back(fmt::format("{}: {}", to_string(result_.router), what)); }
  void before(const std::string& what) { progress_.next(fmt::format("{} {}", to_string(result_.router), what)); }
  DrawnDisturbance disturbance(double dose) const { return {{result_.router}, dose, settings_.draws}; }

  DrawRows swap_rows(int64_t sequences) {
    before(fmt::format("swap: {} sequences", sequences));
    cells_.read(sequences);
    return present(cells_.damages(disturbance(1)));
  }

  void measure_swap() {
    const int64_t most = std::min(settings_.most_sequences, cells_.subject().held_out());
    int64_t sequences = std::min(settings_.sequences, cells_.subject().held_out());
    DrawRows rows = swap_rows(sequences);
    while (relative_error(mean_of(rows)) > settings_.precision && 2 * sequences <= most) {
      DrawRows more = swap_rows(2 * sequences);
      if (!(relative_error(mean_of(more)) < 0.9 * relative_error(mean_of(rows)))) break;
      sequences *= 2;
      rows = std::move(more);
    }
    cells_.read(sequences);
    result_.sequences = sequences;
    result_.tokens = sequences * cells_.subject().tokens_per_sequence();
    result_.base_loss = mean_of({*cells_.losses({})}).value;
    result_.swap_cost = result_.dose_cost = mean_of(rows);
    const std::string more = more_needed(rows, result_.swap_cost, settings_.precision);
    if (!more.empty()) note("the swap's cost has " + more);
    progress_.done();
  }

  void leave_undefined() {
    const Measured nothing{nan, nan, 0};
    const std::string why = result_.swap_cost.samples == 0 ? "the swap has no finite loss in any draw"
                                                           : within_noise("the swap costs", result_.swap_cost);
    const CrossLayerShare share{nothing, nothing, nothing, nothing, std::nullopt, why};
    for (int64_t dimension : settings_.dimensions)
      result_.capacities.push_back({dimension, {}, {settings_.steps.size(), share}});
    result_.unmatched = why;
    note(why + ": recovery is undefined");
    progress_.done(pieces_of_router(cells_.subject(), settings_, result_.router) - 1);
  }

  void match_dose() {
    whole_ = mean_damage(cells_.damages(disturbance(1)));
    if (settings_.damage <= 0)
      result_.unmatched = fmt::format("compensation.damage is 0, so that the router is swapped whole, at {:.6f} nats",
                                      result_.swap_cost.value);
    else
      std::tie(result_.dose, result_.unmatched) = dose_for(settings_.damage);
    if (settings_.damage > 0 && !result_.unmatched.empty()) note(result_.unmatched);
    const auto rows = cells_.damages(disturbance(result_.dose));
    for (std::size_t draw = 0; draw < rows.size(); ++draw)
      if (!rows[draw]) result_.diverged.push_back({"swap", 0, static_cast<int64_t>(draw)});
    result_.dose_cost = mean_of(present(rows));
    progress_.done();
  }

  /// The dose that costs `wanted`; 1, or the nearest, and why where none does.
  std::pair<double, std::string> dose_for(double wanted) {
    if (whole_ < wanted)
      return {1, fmt::format("the whole swap costs {:.6f} nats, less than the {:g} that every disturbance ought to "
                             "cost; compensation.damage = {:g} would fit",
                             whole_, wanted, below(whole_))};
    const auto damage = [this](double dose) {
      before(fmt::format("dose {:.4f}", dose));
      return mean_damage(cells_.damages(disturbance(dose)));
    };
    const Dose found = find_dose(damage, {wanted, 1, whole_});
    if (found.reached) return {found.dose, ""};
    return {found.dose, fmt::format("the nearest dose to a damage of {:g} nats, {:.4f}, costs {:.6f}", wanted,
                                    found.dose, found.damage)};
  }

  const Group& group_named(const std::string& name) const {
    const auto found = std::ranges::find(groups_, name, &Group::name);
    check(found != groups_.end(), "[recovery] no group {}", name);
    return *found;
  }

  /// `what` stands before the group's name wherever it is shown.
  GroupCurves curves(const Group& group, const Capacity& capacity, const std::string& what = "",
                     std::optional<double> dose = std::nullopt) {
    int64_t left = settings_.draws;  // a group that diverges without a disturbance stops at the first
    const auto before_draw = [&](int64_t draw) {
      before(fmt::format("dimension {} draw {}: {}{}", capacity.dimension, draw, what, group.name));
      progress_.done();
      --left;
    };
    GroupCurves result = curves_of(cells_, group, disturbance(dose.value_or(result_.dose)), capacity, before_draw);
    progress_.done(left);
    for (Diverged one : result.diverged) {
      one.group = what + one.group;
      result_.diverged.push_back(one);
    }
    return result;
  }

  CapacityResult at_dimension(int64_t dimension, bool first) {
    CapacityResult capacity{dimension, {}, {}};
    std::vector<std::vector<GroupRows>> by_step(settings_.steps.size());
    for (const Group& group : groups_at(groups_, first)) {
      GroupCurves found = curves(group, {dimension, settings_.steps});
      capacity.groups.push_back(recovery_of(found.by_step.back()));
      for (std::size_t n = 0; n < by_step.size(); ++n) by_step[n].push_back(std::move(found.by_step[n]));
    }
    for (const auto& rows : by_step) capacity.shares.push_back(cross_layer_share(rows, result_.dose_cost));
    return capacity;
  }

  DosePoint at_damage(double damage) {
    const Measured nothing{nan, nan, 0};
    DosePoint point{damage, 1, nothing, "", {nothing, nothing, nothing, nothing, std::nullopt, ""}};
    std::tie(point.dose, point.unmatched) = dose_for(damage);
    point.cost = mean_of(present(cells_.damages(disturbance(point.dose))));
    if (!point.unmatched.empty()) {
      point.share.undefined = point.unmatched;
      progress_.done(7 * settings_.draws);
      return point;
    }
    std::vector<GroupRows> rows;
    for (const Group& group : groups_at(groups_, false))
      rows.push_back(curves(group, {settings_.dimensions.front(), settings_.steps}, fmt::format("damage {:g} ", damage),
                            point.dose)
                         .by_step.back());
    point.share = cross_layer_share(rows, point.cost);
    return point;
  }

  /// The shares of random partitions in the first dimension: each draw's partitions are draws like any other.
  std::vector<CrossLayerShare> size_matched() {
    std::vector<std::vector<GroupRows>> by_step(settings_.steps.size());
    for (unsigned coalition = 1; coalition < 8; ++coalition) {
      const Group group = dealt_coalition(group_named("all"), coalition);
      for (int64_t partition = 0; partition < settings_.random_partitions; ++partition) {
        const GroupCurves found =
            curves(group, {settings_.dimensions.front(), settings_.steps, partition}, "random partition's ");
        for (std::size_t n = 0; n < by_step.size(); ++n) {
          if (partition == 0) by_step[n].push_back({group, {}});
          auto& rows = by_step[n].back().rows;
          rows.insert(rows.end(), found.by_step[n].rows.begin(), found.by_step[n].rows.end());
        }
      }
    }
    std::vector<CrossLayerShare> shares;
    for (const auto& rows : by_step) shares.push_back(cross_layer_share(rows, result_.dose_cost));
    return shares;
  }

  Adaptations& cells_;
  const CompensationSettings& settings_;
  WorkProgress& progress_;
  std::vector<Group> groups_;
  double whole_ = 0;  // what the whole swap costs; infinite where a draw has no finite loss
  RecoveryResult result_;
  std::vector<std::string> notes_;
};

}  // namespace

int64_t pieces_of_router(const Subject& subject, const CompensationSettings& settings, const Component& router) {
  auto total = static_cast<int64_t>(recovery_groups(subject.components(), router).size());
  for (std::size_t d = 1; d < settings.dimensions.size(); ++d) total += 7;
  total += 7 * (doublings(settings) + settings.random_partitions);
  return 2 + total * settings.draws;
}

RecoveryResult recover_router(Adaptations& cells, const CompensationSettings& settings, WorkProgress& progress,
                              const Component& router, std::vector<std::string>& notes) {
  RouterRecovery recovery(cells, settings, progress, router);
  RecoveryResult result = recovery.run();
  notes.insert(notes.end(), recovery.notes().begin(), recovery.notes().end());
  return result;
}

}  // namespace absorb
