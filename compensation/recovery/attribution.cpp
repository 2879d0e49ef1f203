#include "compensation/recovery/attribution.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <span>
#include <tuple>

#include "core/error.h"
#include "statistics/paired.h"
#include "statistics/power.h"
#include "statistics/verdict.h"

namespace absorb {
namespace {

constexpr double wanted_power = 0.8;

/// Dimension, steps and damage of a result's headline.
using Headline = std::tuple<int64_t, int64_t, double>;

std::optional<Headline> headline_of(const RecoveryResult& result) {
  if (result.capacities.empty() || result.steps.empty()) return std::nullopt;
  return Headline{result.capacities.front().dimension, result.steps.back(), result.damage};
}

/// What most results have, the earliest of equally many.
std::optional<Headline> common_headline(std::span<const RunRecoveries> runs) {
  std::map<Headline, int64_t> counts;
  std::optional<Headline> best;
  for (const RunRecoveries& run : runs)
    for (const RecoveryResult& result : run.results)
      if (const auto headline = headline_of(result)) ++counts[*headline];
  for (const RunRecoveries& run : runs)
    for (const RecoveryResult& result : run.results)
      if (const auto headline = headline_of(result); headline && (!best || counts[*headline] > counts[*best]))
        best = headline;
  return best;
}

/// Why a result can't be compared; empty where it can.
std::string unusable(const RecoveryResult& result, const Headline& common) {
  const auto headline = headline_of(result);
  if (!headline) return "nothing was measured";
  const auto& [dimension, steps, damage] = *headline;
  if (*headline != common)
    return fmt::format("measured with other settings (m = {}, n = {}, damage {:g} nats)", dimension, steps, damage);
  return not_comparable(result);
}

/// One side of a comparison: the routers of one kind of one run.
struct Side {
  const RunRecoveries* run;
  Part kind;
};

const RecoveryResult* router_in(const Side& side, int64_t layer) {
  for (const RecoveryResult& result : side.run->results)
    if (result.router.part == side.kind && result.router.layer == layer) return &result;
  return nullptr;
}

bool has_kind(const Side& side) {
  return std::any_of(side.run->results.begin(), side.run->results.end(),
                     [&](const RecoveryResult& result) { return result.router.part == side.kind; });
}

struct SeedPair {
  Side attention, moe;
};

/// One side's means over its layers, and those of random partitions into parts of the same sizes, if there were any.
struct Means {
  MeanParts parts;
  std::optional<MeanParts> matched;
};

Means means_over_layers(std::span<const CapacityResult* const> layers) {
  std::vector<const CrossLayerShare*> shares, matched;
  for (const CapacityResult* layer : layers) {
    shares.push_back(&layer->shares.back());
    if (!layer->size_matched.empty()) matched.push_back(&layer->size_matched.back());
  }
  Means means{mean_over_layers(shares), std::nullopt};
  if (matched.size() == shares.size()) means.matched = mean_over_layers(matched);
  return means;
}

/// Collects the seeds of one comparison and what had to be left out of it.
class Comparison {
 public:
  explicit Comparison(const Headline& headline) : headline_(headline) {}

  void add(const SeedPair& pair) {
    std::set<int64_t> layers;
    for (const Side& side : {pair.attention, pair.moe})
      for (const RecoveryResult& result : side.run->results)
        if (result.router.part == side.kind) layers.insert(result.router.layer);
    std::vector<const CapacityResult*> attention, moe;
    for (int64_t layer : layers) {
      // Both are looked at, so that each of two faults is named.
      const CapacityResult *first = usable_in(pair.attention, layer), *second = usable_in(pair.moe, layer);
      if (first == nullptr || second == nullptr) continue;
      attention.push_back(first);
      moe.push_back(second);
    }
    if (attention.empty()) {
      left_out.push_back(fmt::format("seed {}: no layer can be compared", pair.attention.run->seed));
      return;
    }
    seeds.push_back(pair.attention.run->seed);
    means_attention.push_back(means_over_layers(attention));
    means_moe.push_back(means_over_layers(moe));
  }

  std::vector<int64_t> seeds;
  std::vector<Means> means_attention, means_moe;
  std::vector<std::string> left_out;

 private:
  const CapacityResult* usable_in(const Side& side, int64_t layer) {
    const RecoveryResult* result = router_in(side, layer);
    const std::string why = result == nullptr ? "it was not measured" : unusable(*result, headline_);
    if (why.empty()) return &result->capacities.front();
    left_out.push_back(fmt::format("{} seed {}, {}: {}", side.run->target, side.run->seed,
                                   to_string(Component{layer, side.kind, 0}), why));
    return nullptr;
  }
  Headline headline_;
};

/// `value`: an optional number of Means; a seed counts where both sides have it.
template <class Quantity>
AttributionRow row_of(const Comparison& comparison, const std::string& between, const char* quantity, const char* unit,
                      Quantity value) {
  AttributionRow row;
  row.between = between;
  row.quantity = quantity;
  row.unit = unit;
  for (std::size_t i = 0; i < comparison.seeds.size(); ++i) {
    const std::optional<double> attention = value(comparison.means_attention[i]), moe = value(comparison.means_moe[i]);
    if (!attention || !moe) continue;
    row.seeds.push_back(comparison.seeds[i]);
    row.attention.push_back(*attention);
    row.moe.push_back(*moe);
  }
  const Paired test = paired(differences(row.attention, row.moe));
  row.mean = test.mean;
  row.sd = test.sd;
  row.p_t = test.p_t;
  row.ci95 = test.ci95;
  return row;
}

std::string verdict_on(const AttributionRow& cross) {
  if (std::ssize(cross.seeds) < verdict_n) return std::string(name(Verdict::undecided_n));
  if (cross.ci95 && cross.ci95->low > 0) return "supported";
  if (cross.ci95 && cross.ci95->high < 0) return "contradicted";
  return std::string(name(Verdict::undecided));
}

std::optional<int64_t> seeds_that_decide(const AttributionRow& cross) {
  if (!std::isfinite(cross.sd) || !std::isfinite(cross.mean) || cross.mean == 0) return std::nullopt;
  if (cross.sd == 0) return verdict_n;
  PairedDesign design;
  design.sd = cross.sd;
  design.margin = std::abs(cross.mean);
  return seeds_for_t(design, wanted_power);
}

Attribution attribution_of(Comparison comparison, const std::string& between, const Headline& headline) {
  Attribution result;
  result.between = between;
  std::tie(result.dimension, result.steps, result.damage) = headline;
  const auto add = [&](const char* quantity, const char* unit, auto value) {
    result.rows.push_back(row_of(comparison, between, quantity, unit, value));
  };
  add("cross", "nats", [](const Means& means) { return std::optional(means.parts.cross); });
  add("module", "nats", [](const Means& means) { return std::optional(means.parts.module); });
  add("rest", "nats", [](const Means& means) { return std::optional(means.parts.rest); });
  add("all", "nats", [](const Means& means) { return std::optional(means.parts.all); });
  add("share", "fraction", [](const Means& means) { return means.parts.share; });
  add("excess", "fraction", [](const Means& means) -> std::optional<double> {
    if (!means.parts.share || !means.matched || !means.matched->share) return std::nullopt;
    return *means.parts.share - *means.matched->share;
  });
  if (result.rows.back().seeds.empty()) result.rows.pop_back();  // no random partition was measured
  result.verdict = verdict_on(result.rows.front());
  result.deciding_seeds = seeds_that_decide(result.rows.front());
  result.left_out = std::move(comparison.left_out);
  return result;
}

/// The seeds that hold both kinds, in order.
std::vector<SeedPair> pairs_of(std::span<const RunRecoveries> runs, const char* of_attention, const char* of_moe) {
  std::map<int64_t, Side> attention, moe;
  for (const RunRecoveries& run : runs) {
    const Side routes_keys{&run, Part::attention_router}, routes_experts{&run, Part::expert_router};
    if (run.target == of_attention && has_kind(routes_keys)) attention.emplace(run.seed, routes_keys);
    if (run.target == of_moe && has_kind(routes_experts)) moe.emplace(run.seed, routes_experts);
  }
  std::vector<SeedPair> pairs;
  for (const auto& [seed, side] : attention)
    if (const auto twin = moe.find(seed); twin != moe.end()) pairs.push_back({side, twin->second});
  return pairs;
}

}  // namespace

std::vector<Attribution> attribute(std::span<const RunRecoveries> runs) {
  const auto headline = common_headline(runs);
  if (!headline) return {};
  std::vector<Attribution> results;
  const auto compare = [&](const char* between, const char* of_attention, const char* of_moe) {
    const std::vector<SeedPair> pairs = pairs_of(runs, of_attention, of_moe);
    if (pairs.empty()) return;
    Comparison comparison(*headline);
    for (const SeedPair& pair : pairs) comparison.add(pair);
    results.push_back(attribution_of(std::move(comparison), between, *headline));
  };
  compare("attention - moe", "attention", "moe");
  compare("within both", "both", "both");
  return results;
}

}  // namespace absorb
