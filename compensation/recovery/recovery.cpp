#include "compensation/recovery/recovery.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/numbers.h"
#include "statistics/documents.h"
#include "statistics/summary.h"

namespace absorb {
namespace {

const GroupRows& named(std::span<const GroupRows> groups, const std::string& name) {
  const auto found = std::find_if(groups.begin(), groups.end(), [&](const auto& g) { return g.group.name == name; });
  check(found != groups.end(), "[recovery] group {} was not measured", name);
  return *found;
}

/// The three players' rows and those of all, over the draws in which every coalition has a value.
struct PlayerRows {
  DrawRows module, rest, cross, all;
};

PlayerRows player_rows(std::span<const GroupRows> groups) {
  std::array<const GroupRows*, 8> coalition{};
  for (std::size_t bits = 1; bits < 8; ++bits) coalition[bits] = &named(groups, coalition_names[bits]);
  PlayerRows result;
  for (std::size_t draw = 0; draw < coalition[7]->rows.size(); ++draw) {
    if (!std::all_of(coalition.begin() + 1, coalition.end(), [&](auto* c) { return c->rows[draw].has_value(); }))
      continue;
    const std::vector<double>& all = *coalition[7]->rows[draw];
    DrawRows players(3);
    for (std::size_t sequence = 0; sequence < all.size(); ++sequence) {
      std::array<double, 8> value{};
      for (std::size_t bits = 1; bits < 8; ++bits) value[bits] = (*coalition[bits]->rows[draw])[sequence];
      const auto parts = shapley(value);
      for (std::size_t player = 0; player < 3; ++player) players[player].push_back(parts[player]);
    }
    result.module.push_back(players[0]);
    result.rest.push_back(players[1]);
    result.cross.push_back(players[2]);
    result.all.push_back(all);
  }
  return result;
}

}  // namespace

Measured mean_of(const DrawRows& rows) {
  if (rows.empty() || rows.front().empty()) return {nan, nan, 0};
  const auto samples = static_cast<int64_t>(rows.size() * rows.front().size());
  if (rows.size() == 1) {
    const Summary summary = summarize(rows.front());
    return {summary.mean, summary.sd / std::sqrt(static_cast<double>(summary.n)), samples};
  }
  const std::vector<double> equal_lengths(rows.front().size(), 1.0);
  const DocumentInterval crossed = document_interval(rows, equal_lengths);
  return {crossed.mean, crossed.standard_error, samples};
}

bool above_noise(const Measured& measured) {
  return measured.value > noise_errors * measured.standard_error;
}

bool beyond_noise(const Measured& measured) {
  return std::abs(measured.value) > noise_errors * measured.standard_error;
}

std::string within_noise(const std::string& what, const Measured& measured) {
  if (std::isnan(measured.standard_error))
    return fmt::format("{} {:.6f} nats, with an error that so few samples can't tell", what, measured.value);
  return fmt::format("{} {:.6f} nats, within its noise ({} standard errors = {:.6f})", what, measured.value,
                     noise_errors, noise_errors * measured.standard_error);
}

std::array<double, 3> shapley(const std::array<double, 8>& value) {
  std::array<double, 3> result{};
  for (unsigned player = 0; player < 3; ++player) {
    const unsigned self = 1U << player, a = 1U << (player + 1) % 3, b = 1U << (player + 2) % 3;
    const auto adds = [&](unsigned others) { return value[others | self] - value[others]; };
    result[player] = (2 * adds(0) + adds(a) + adds(b) + 2 * adds(a | b)) / 6;
  }
  return result;
}

Recovery recovery_of(const GroupRows& group) {
  Recovery result{group.group, {}, {}};
  DrawRows kept;
  for (const auto& row : group.rows) {
    result.by_draw.push_back(row ? summarize(*row).mean : nan);
    if (row) kept.push_back(*row);
  }
  result.measured = mean_of(kept);
  return result;
}

MeanParts mean_over_layers(std::span<const CrossLayerShare* const> layers) {
  const auto count = static_cast<double>(layers.size());
  const auto mean = [&](Measured CrossLayerShare::*part) {
    double sum = 0;
    for (const CrossLayerShare* layer : layers) sum += (layer->*part).value;
    return sum / count;
  };
  MeanParts parts{mean(&CrossLayerShare::module),
                  mean(&CrossLayerShare::rest),
                  mean(&CrossLayerShare::cross),
                  mean(&CrossLayerShare::all),
                  {}};
  double square = 0;
  for (const CrossLayerShare* layer : layers) square += layer->all.standard_error * layer->all.standard_error;
  if (above_noise({parts.all, std::sqrt(square) / count, 1})) parts.share = parts.cross / parts.all;
  return parts;
}

std::string not_comparable(const RecoveryResult& result) {
  if (result.capacities.empty() || result.capacities.front().shares.empty()) return "nothing was measured";
  if (!result.unmatched.empty()) return result.unmatched;
  const CrossLayerShare& share = result.capacities.front().shares.back();
  return above_noise(result.dose_cost) && share.all.samples > 0 ? "" : share.undefined;
}

CrossLayerShare cross_layer_share(std::span<const GroupRows> groups, const Measured& damage) {
  const PlayerRows rows = player_rows(groups);
  CrossLayerShare result{mean_of(rows.all), mean_of(rows.module), mean_of(rows.rest), mean_of(rows.cross), {}, {}};
  if (rows.all.empty())
    result.undefined = "an adaptation diverged in every draw";
  else if (!above_noise(damage))
    result.undefined = within_noise("the disturbance costs", damage);
  else if (!above_noise(result.all))
    result.undefined = within_noise("all other components together recover", result.all);
  else
    result.share = result.cross.value / result.all.value;
  return result;
}

}  // namespace absorb
