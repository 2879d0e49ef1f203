#include "compensation/measures/adaptations.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <limits>

#include "compensation/graph/nodes.h"
#include "compensation/recovery/sampling.h"
#include "core/error.h"

namespace absorb {
namespace {

constexpr int cell_format = 3;

bool all_finite(const std::vector<double>& values) {
  return std::all_of(values.begin(), values.end(), [](double value) { return std::isfinite(value); });
}

std::vector<double> minus(const std::vector<double>& a, const std::vector<double>& b) {
  std::vector<double> result(a.size());
  std::transform(a.begin(), a.end(), b.begin(), result.begin(), std::minus<>());
  return result;
}

std::vector<Component> sorted(std::vector<Component> components) {
  std::sort(components.begin(), components.end());
  return components;
}

class Stopwatch {
 public:
  double seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count(); }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace

void Adaptations::read(int64_t sequences) {
  check(sequences >= 1 && sequences <= subject_.held_out(), "[compensation] {} sequences of {}", sequences,
        subject_.held_out());
  examples_ = spread_evenly(sequences, subject_.held_out());
}

Json Adaptations::key(const Disturbance& disturbance) const {
  Json key{{"format", cell_format},
           {"subject", subject_.identity()},
           {"held_out", {examples_.size(), subject_.held_out()}},
           {"disturbance", Json()}};
  if (!disturbance.components.empty())
    key["disturbance"] = {
        {"components", json_of(disturbance.components)}, {"draw", disturbance.draw}, {"dose", disturbance.dose}};
  return key;
}

Adaptations::Losses Adaptations::losses(const Disturbance& disturbance) {
  const Json& cell = cells_.get(key(disturbance), [&]() -> Json {
    const Stopwatch time;
    const std::vector<double> losses = subject_.losses(examples_, disturbance);
    check(losses.size() == examples_.size(), "[compensation] {} losses for {} sequences", losses.size(),
          examples_.size());
    seconds_ += time.seconds();
    return all_finite(losses) ? Json(losses) : Json();
  });
  if (cell.is_null()) return std::nullopt;
  return cell.get<std::vector<double>>();
}

bool Adaptations::is_whole(const Adaptation& adaptation) const {
  return adaptation.dimension <= 0 ||
         std::all_of(adaptation.parts.begin(), adaptation.parts.end(), [&](const std::vector<Component>& part) {
           int64_t numbers = 0;
           for (const Component& component : part) numbers += subject_.numbers(component);
           return adaptation.dimension >= numbers;
         });
}

Adaptations::Curves Adaptations::adapted(const Disturbance& disturbance, const Adaptation& adaptation) {
  Adaptation asked = adaptation;
  if (is_whole(adaptation)) asked.dimension = 0;
  if (asked.dimension == 0) asked.subspace = 0;
  // All of all parts, however they were dealt out.
  if (asked.dimension == 0 && asked.dealt && asked.dealt->chosen.size() == asked.parts.size()) asked.dealt.reset();
  Json cell_key = key(disturbance);
  // All its numbers adapt alike, whatever the parts.
  cell_key["trained"] = Json::array();
  using Parts = std::vector<std::vector<Component>>;
  for (const auto& part : asked.dimension == 0 && !asked.dealt ? Parts{sorted(trained(asked))} : asked.parts)
    cell_key["trained"].push_back(json_of(part));
  if (asked.dealt) cell_key["dealt"] = {{"draw", asked.dealt->draw}, {"chosen", asked.dealt->chosen}};
  cell_key["steps"] = asked.steps;
  cell_key["dimension"] = asked.dimension;
  cell_key["subspace"] = asked.subspace;
  const Json& cell = cells_.get(cell_key, [&]() -> Json {
    const Stopwatch time;
    const Adapted adapted = subject_.adapt(disturbance, asked, examples_);
    seconds_ += time.seconds();
    if (adapted.diverged || !std::all_of(adapted.losses.begin(), adapted.losses.end(), all_finite)) return {};
    check(adapted.losses.size() == asked.steps.size(), "[compensation] losses after {} of {} numbers of steps",
          adapted.losses.size(), asked.steps.size());
    return adapted.losses;
  });
  if (cell.is_null()) return std::nullopt;
  return cell.get<std::vector<std::vector<double>>>();
}

Adaptations::Losses Adaptations::damage(const Disturbance& disturbance) {
  const Losses base = losses({});
  require(base.has_value(), "the trained run itself has no finite held-out loss: there is nothing to recover");
  const Losses disturbed = losses(disturbance);
  if (!disturbed) return std::nullopt;
  return minus(*disturbed, *base);
}

Adaptations::Curves Adaptations::recovered(const Disturbance& disturbance, const Adaptation& adaptation) {
  if (adaptation.parts.empty()) return std::vector(adaptation.steps.size(), std::vector<double>(examples_.size(), 0.0));
  const Losses base = losses({}), disturbed = losses(disturbance);
  if (!base || !disturbed) return std::nullopt;
  const Curves base_adapted = adapted({}, adaptation);
  if (!base_adapted) return std::nullopt;
  const Curves disturbed_adapted = adapted(disturbance, adaptation);
  if (!disturbed_adapted) return std::nullopt;
  std::vector<std::vector<double>> curves;
  for (std::size_t n = 0; n < adaptation.steps.size(); ++n)
    curves.push_back(minus(minus(*disturbed, (*disturbed_adapted)[n]), minus(*base, (*base_adapted)[n])));
  return curves;
}

std::vector<Adaptations::Losses> Adaptations::damages(const DrawnDisturbance& disturbance) {
  std::vector<Losses> rows;
  for (int64_t draw = 0; draw < disturbance.draws; ++draw)
    rows.push_back(damage({disturbance.components, static_cast<uint64_t>(draw), disturbance.dose}));
  return rows;
}

DrawRows present(const std::vector<Adaptations::Losses>& rows) {
  DrawRows result;
  for (const auto& row : rows)
    if (row) result.push_back(*row);
  return result;
}

double mean_damage(const std::vector<Adaptations::Losses>& rows) {
  const DrawRows all = present(rows);
  return all.size() < rows.size() ? std::numeric_limits<double>::infinity() : mean_of(all).value;
}

GroupCurves curves_of(Adaptations& cells, const Group& group, const DrawnDisturbance& disturbance,
                      const Capacity& capacity, const std::function<void(int64_t draw)>& before) {
  const auto draws = static_cast<std::size_t>(disturbance.draws);
  GroupCurves result{{capacity.steps.size(), GroupRows{group, {draws, std::nullopt}}}, {}};
  Adaptation adaptation{adapting_parts(group), capacity.steps, capacity.dimension, 0};
  for (int64_t draw = 0; draw < disturbance.draws; ++draw) {
    before(draw);
    const Disturbance disturbed{disturbance.components, static_cast<uint64_t>(draw), disturbance.dose};
    adaptation.subspace = static_cast<uint64_t>(draw);
    if (!group.chosen.empty())
      adaptation.dealt = Dealt{static_cast<uint64_t>(capacity.partition * disturbance.draws + draw), group.chosen};
    if (const auto curves = cells.recovered(disturbed, adaptation)) {
      for (std::size_t n = 0; n < curves->size(); ++n)
        result.by_step[n].rows[static_cast<std::size_t>(draw)] = (*curves)[n];
    } else if (cells.losses(disturbed)) {
      const bool every = !adaptation.dealt && cells.is_whole(adaptation) && !cells.adapted({}, adaptation);
      result.diverged.push_back({group.name, capacity.dimension, every ? std::nullopt : std::optional(draw)});
      if (every) break;
    }
  }
  return result;
}

void require_layers(const Subject& subject, const std::vector<int64_t>& layers) {
  std::vector<std::string> known;
  for (int64_t layer = 0; layer < subject.layers(); ++layer) known.push_back(std::to_string(layer));
  for (int64_t layer : layers)
    require(layer >= 0 && layer < subject.layers(), "there is no layer {}; the run has {}", layer, join(known));
}

void require_sensible(const CompensationSettings& settings) {
  const auto& steps = settings.steps;
  const bool rising = std::adjacent_find(steps.begin(), steps.end(), std::greater_equal<>()) == steps.end();
  require(!steps.empty() && rising && steps.front() >= 0, "compensation.steps must be numbers that rise, got {}",
          Json(steps).dump());
  require(!settings.dimensions.empty(), "compensation.dimensions must name at least one dimension");
}

std::string describe(const std::vector<Diverged>& diverged) {
  std::vector<std::string> names;
  for (const Diverged& one : diverged)
    names.push_back(fmt::format("{} (dimension {}, {})", one.group, one.dimension,
                                one.draw ? fmt::format("draw {}", *one.draw) : "every draw"));
  return fmt::format("{} diverged and {} left out: {}",
                     names.size() == 1 ? "1 adaptation" : fmt::format("{} adaptations", names.size()),
                     names.size() == 1 ? "is" : "are", join(names));
}

}  // namespace absorb
