#include "compensation/measures/component_graph.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "compensation/graph/nodes.h"
#include "compensation/measures/adaptations.h"
#include "compensation/recovery/dose.h"
#include "compensation/recovery/sampling.h"
#include "core/error.h"

namespace absorb {
namespace {

constexpr double usual_damage = 0.02;  // nats per token, where whole swaps were asked for
constexpr double largest_noise = 10;   // root mean squares

double damage_of(const CompensationSettings& settings) {
  return settings.damage > 0 ? settings.damage : usual_damage;
}

/// Of the rows' mean over draws. That draws of a large disturbance differ doesn't mean that it costs nothing, which is
/// what two or three of them would often seem to say.
Measured over_sequences(const DrawRows& rows) {
  if (rows.empty()) return mean_of(rows);
  std::vector<double> mean(rows.front().size(), 0.0);
  for (const auto& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i) mean[i] += row[i] / static_cast<double>(rows.size());
  return mean_of({mean});
}

class ComponentGraph {
 public:
  ComponentGraph(Subject& subject, const CompensationSettings& settings, const MeasureContext& context)
      : cells_(subject, context.cache),
        settings_(settings),
        damage_(damage_of(settings)),
        groups_(part_groups(subject.components())),
        disturbed_(chosen(groups_, context.layers)),
        progress_(context, static_cast<int64_t>(disturbed_.size()) * pieces()) {
    cells_.read(std::min(settings.sequences, subject.held_out()));
    result_.measure = "components";
    result_.identity = identity_of(context);
    result_.details = {{"damage", damage_},
                       {"dimension", settings_.dimensions.front()},
                       {"steps", settings_.steps.back()},
                       {"draws", settings_.component_draws},
                       {"sequences", cells_.sequences()},
                       {"disturbed", Json::array()},
                       {"diverged", Json::array()}};
    for (const Group& group : groups_) result_.nodes.push_back(node_of(group));
  }

  Measurement run() {
    for (const Group& group : disturbed_) {
      if (const auto disturbance = matched(group))
        disturb(group, *disturbance);
      else
        progress_.done(pieces());
    }
    add_notes();
    result_.seconds = cells_.seconds();
    return result_;
  }

 private:
  static std::vector<Group> chosen(const std::vector<Group>& groups, const std::vector<int64_t>& layers) {
    std::vector<Group> result;
    for (const Group& group : groups)
      if (layers.empty() || std::find(layers.begin(), layers.end(), group.components.front().layer) != layers.end())
        result.push_back(group);
    return result;
  }

  /// Of WorkProgress, for each disturbed part: its dose, and each part that adapts in each draw.
  int64_t pieces() const { return 1 + static_cast<int64_t>(groups_.size()) * settings_.component_draws; }

  std::string identity_of(const MeasureContext& context) {
    const Json all{{"measure", result_.measure},
                   {"format", 1},
                   {"subject", cells_.subject().identity()},
                   {"layers", context.layers},
                   {"steps", settings_.steps.back()},
                   {"dimension", settings_.dimensions.front()},
                   {"draws", settings_.component_draws},
                   {"damage", damage_},
                   {"sequences", settings_.sequences},
                   {"precision", settings_.precision}};
    return hash_hex(all.dump());
  }

  void note(const Group& group, const std::string& what) {
    result_.notes.push_back(fmt::format("{}: {}: no edges leave it", group.name, what));
  }

  /// The disturbance that costs the damage; none, with a note, where there is none.
  std::optional<DrawnDisturbance> matched(const Group& group) {
    const double largest = is_router(group.components.front().part) ? 1 : largest_noise;
    const auto rows_at = [&](double dose) {
      progress_.next(fmt::format("{} dose {:.4f}", group.name, dose));
      return cells_.damages({group.components, dose, settings_.component_draws});
    };
    const auto damage_at = [&](double dose) { return mean_damage(rows_at(dose)); };
    const auto largest_rows = rows_at(largest);
    const Measured cost = over_sequences(present(largest_rows));
    const double most = mean_damage(largest_rows);
    if (std::isfinite(most) && !above_noise(cost)) {
      note(group, within_noise("its largest disturbance costs", cost));
      return std::nullopt;
    }
    if (most < damage_) {
      note(group,
           fmt::format("its largest disturbance costs {:.6f} nats, less than the damage of {:g}", most, damage_));
      return std::nullopt;
    }
    const Dose found = find_dose(damage_at, {damage_, largest, most});
    if (!found.reached) {
      note(group, fmt::format("the nearest dose to a damage of {:g} nats, {:.4f}, costs {:.6f}", damage_, found.dose,
                              found.damage));
      return std::nullopt;
    }
    progress_.done();
    remember(group, found.dose);
    return DrawnDisturbance{group.components, found.dose, settings_.component_draws};
  }

  void remember(const Group& group, double dose) {
    const DrawRows rows = present(cells_.damages({group.components, dose, settings_.component_draws}));
    const Measured cost = mean_of(rows);
    result_.details["disturbed"].push_back(
        {{"name", group.name}, {"dose", dose}, {"nats", cost.value}, {"standard_error", cost.standard_error}});
    const std::string more = more_needed(rows, cost, settings_.precision);
    if (more.empty()) return;
    ++imprecise_;
    if (relative_error(cost) <= worst_error_) return;
    worst_error_ = relative_error(cost);
    worst_ = fmt::format("{}, has {}", group.name, more);
  }

  void disturb(const Group& group, const DrawnDisturbance& disturbance) {
    for (const Group& adapting : groups_) {
      int64_t left = settings_.component_draws;  // a group that diverges without a disturbance stops at the first
      const auto before = [&](int64_t draw) {
        progress_.next(fmt::format("{} draw {}: {}", group.name, draw, adapting.name));
        progress_.done();
        --left;
      };
      const GroupCurves curves =
          curves_of(cells_, adapting, disturbance, {settings_.dimensions.front(), {settings_.steps.back()}}, before);
      progress_.done(left);
      for (Diverged one : curves.diverged) {
        one.group = fmt::format("{} by {}", group.name, adapting.name);
        diverged_.push_back(std::move(one));
      }
      const Measured recovered = recovery_of(curves.by_step.front()).measured;
      if (recovered.samples == 0) continue;
      result_.edges.push_back({node_of(group).name, node_of(adapting).name, recovered.value, recovered.standard_error,
                               recovered.samples, "components", "", "", 0});
    }
  }

  void add_notes() {
    if (imprecise_ > 0)
      result_.notes.push_back(
          fmt::format("{} of {} disturbances cost their damage less precisely than asked; the worst, {}", imprecise_,
                      result_.details["disturbed"].size(), worst_));
    if (diverged_.empty()) return;
    result_.notes.push_back(describe(diverged_));
    for (const Diverged& one : diverged_)
      result_.details["diverged"].push_back(
          {{"group", one.group}, {"dimension", one.dimension}, {"draw", one.draw ? Json(*one.draw) : Json()}});
  }

  Adaptations cells_;
  const CompensationSettings& settings_;
  double damage_;
  std::vector<Group> groups_, disturbed_;
  WorkProgress progress_;
  Measurement result_;
  std::vector<Diverged> diverged_;
  int64_t imprecise_ = 0;
  double worst_error_ = 0;
  std::string worst_;
};

}  // namespace

Measurement measure_components(Subject& subject, const CompensationSettings& settings, const MeasureContext& context) {
  require_layers(subject, context.layers);
  require_sensible(settings);
  return ComponentGraph(subject, settings, context).run();
}

void add_components(Measures& measures) {
  measures.add(
      {.edges = {{.name = "components",
                  .unit = "nats per token",
                  .role = MeasureRole::measures,
                  .title = "Component graph",
                  .reading =
                      "Each arrow begins at a part whose weights were disturbed and ends at the part that made up for "
                      "it, any part of the model and not routers alone.",
                  .definition =
                      "As recovery, for a disturbance of any component: noise is added to its weights until the damage "
                      "is the same as that of the routers; then one other component adapts in a subspace of the same "
                      "dimension."}},
       .make = measure_components,
       .order = 7});
}

}  // namespace absorb
