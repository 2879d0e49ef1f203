#include "compensation/measure.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/settings.h"

namespace absorb {
namespace {

constexpr int cell_format = 1;

Json json_of(const std::vector<Component>& components) {
  Json list = Json::array();
  for (const Component& c : components) list.push_back({c.layer, std::string(to_string(c.part)), c.index});
  return list;
}

bool all_finite(const std::vector<double>& values) {
  return std::all_of(values.begin(), values.end(), [](double value) { return std::isfinite(value); });
}

std::vector<double> minus(const std::vector<double>& a, const std::vector<double>& b) {
  std::vector<double> result(a.size());
  std::transform(a.begin(), a.end(), b.begin(), result.begin(), std::minus<>());
  return result;
}

/// Runs and remembers adaptations, in memory and in the cache folder.
class Cells {
 public:
  Cells(Subject& subject, const RecoverySettings& settings, std::vector<int64_t> examples)
      : subject_(subject), settings_(settings), examples_(std::move(examples)) {
    if (!settings_.cache.empty()) require_writable(settings_.cache);
  }

  /// [sequences] losses after `trained` adapted to `swap`; absent if that diverged. Nothing trained: the losses as
  /// they are.
  std::optional<std::vector<double>> losses(const Swap& swap, const std::vector<Component>& trained) {
    const Json key = key_of(swap, trained);
    const std::string name = hash_hex(key.dump());
    if (const auto known = known_.find(name); known != known_.end()) return known->second;
    auto cell = stored(name, key);
    if (!cell) {
      cell = measured(swap, trained);
      store(name, key, *cell);
    }
    return known_[name] = *cell;
  }

 private:
  using Cell = std::optional<std::vector<double>>;

  Json key_of(const Swap& swap, const std::vector<Component>& trained) const {
    return {{"format", cell_format},
            {"subject", subject_.identity()},
            {"held_out", examples_},
            {"routers", json_of(swap.routers)},
            {"draw", swap.routers.empty() ? 0 : swap.draw},
            {"trained", json_of(trained)},
            {"steps", trained.empty() ? 0 : settings_.steps}};
  }

  Cell measured(const Swap& swap, const std::vector<Component>& trained) {
    const Adapted adapted = trained.empty() ? Adapted{subject_.losses(examples_, swap), false}
                                            : subject_.adapt(swap, {trained, settings_.steps}, examples_);
    if (adapted.diverged || !all_finite(adapted.losses)) return std::nullopt;
    check(adapted.losses.size() == examples_.size(), "[measure_recovery] the subject gave {} losses for {} sequences",
          adapted.losses.size(), examples_.size());
    return adapted.losses;
  }

  Path path_of(const std::string& name) const { return settings_.cache / (name + ".json"); }

  /// Absent: not stored, or damaged, which costs no more than measuring it again.
  std::optional<Cell> stored(const std::string& name, const Json& key) const {
    if (settings_.cache.empty() || !std::filesystem::exists(path_of(name))) return std::nullopt;
    const Json file = Json::parse(read_file(path_of(name)), nullptr, false);
    if (!file.is_object() || file.value("key", Json()) != key) return std::nullopt;
    const Json losses = file.value("losses", Json());
    if (losses.is_null() && file.value("diverged", false)) return Cell{};
    if (!losses.is_array() || losses.size() != examples_.size()) return std::nullopt;
    if (!std::all_of(losses.begin(), losses.end(), [](const Json& loss) { return loss.is_number(); }))
      return std::nullopt;
    return Cell{losses.get<std::vector<double>>()};
  }

  void store(const std::string& name, const Json& key, const Cell& cell) const {
    if (settings_.cache.empty()) return;
    const Json file{{"key", key}, {"diverged", !cell.has_value()}, {"losses", cell ? Json(*cell) : Json()}};
    write_file(path_of(name), file.dump() + "\n");
  }

  Subject& subject_;
  const RecoverySettings& settings_;
  std::vector<int64_t> examples_;
  std::map<std::string, Cell> known_;
};

std::vector<int64_t> spread_evenly(int64_t count, int64_t available) {
  std::vector<int64_t> examples;
  for (int64_t i = 0; i < count; ++i) examples.push_back(i * available / count);
  return examples;
}

void require_sensible(const Subject& subject, const Component& router, const RecoverySettings& settings) {
  std::vector<std::string> names;
  bool found = false;
  for (const Component& known : router_components(subject.components())) {
    names.push_back(to_string(known));
    found = found || known == router;
  }
  require(found, "{} is no router of this run; it has {}", to_string(router), names.empty() ? "none" : join(names));
  require(settings.steps >= 0, "compensation steps must be at least 0, got {}", settings.steps);
  require(settings.draws >= 1, "compensation draws must be at least 1, got {}", settings.draws);
  require(settings.held_out_sequences >= 1 && settings.held_out_sequences <= subject.held_out(),
          "compensation held_out_sequences must be between 1 and the {} that this run has, got {}", subject.held_out(),
          settings.held_out_sequences);
}

/// One router's measurement: the cells in their order, what they give, and what diverged.
class Measurement {
 public:
  Measurement(Subject& subject, const Component& router, const RecoverySettings& settings)
      : router_(router),
        settings_(settings),
        groups_(recovery_groups(subject.components(), router)),
        cells_(subject, settings, spread_evenly(settings.held_out_sequences, subject.held_out())) {}

  RecoveryResult run(int64_t tokens_per_sequence) {
    const auto base = losses("", std::nullopt, {});
    require(base.has_value(), "the trained run itself has no finite held-out loss: there is nothing to recover");
    RecoveryResult result{router_,
                          settings_.steps,
                          settings_.draws,
                          settings_.held_out_sequences,
                          settings_.held_out_sequences * tokens_per_sequence,
                          mean_of({*base}).value,
                          {},
                          {},
                          {},
                          {}};
    const auto swapped = swapped_losses();
    DrawRows costs;
    for (const auto& row : swapped)
      if (row) costs.push_back(minus(*row, *base));
    result.swap_cost = mean_of(costs);
    std::vector<GroupRows> rows;
    for (const Group& group : groups_) {
      rows.push_back({group, rows_of(group, *base, swapped)});
      result.groups.push_back(recovery_of(rows.back()));
    }
    result.share = cross_layer_share(rows, result.swap_cost);
    result.diverged = diverged_;
    return result;
  }

 private:
  using Row = std::optional<std::vector<double>>;

  std::vector<Row> swapped_losses() {
    std::vector<Row> result;
    for (int64_t draw = 0; draw < settings_.draws; ++draw) {
      result.push_back(losses("swap", draw, {}));
      if (!result.back()) diverged_.push_back({"swap", draw});
    }
    return result;
  }

  /// [draws] rows of v_l(S).
  std::vector<Row> rows_of(const Group& group, const std::vector<double>& base, const std::vector<Row>& swapped) {
    if (group.components.empty()) return {swapped.size(), std::vector<double>(base.size(), 0.0)};
    const Row base_adapted = losses(group.name, std::nullopt, group.components);
    if (!base_adapted) diverged_.push_back({group.name, std::nullopt});
    std::vector<Row> rows(swapped.size());
    for (int64_t draw = 0; draw < settings_.draws; ++draw) {
      const Row& swap = swapped[static_cast<std::size_t>(draw)];
      if (!swap) continue;
      const Row swap_adapted = losses(group.name, draw, group.components);
      if (!swap_adapted) diverged_.push_back({group.name, draw});
      if (swap_adapted && base_adapted)
        rows[static_cast<std::size_t>(draw)] = minus(minus(*swap, *swap_adapted), minus(base, *base_adapted));
    }
    return rows;
  }

  Row losses(const std::string& group, std::optional<int64_t> draw, const std::vector<Component>& trained) {
    if (settings_.progress) {
      const std::string state = draw ? fmt::format("draw {}", *draw) : "undisturbed";
      settings_.progress(fmt::format("{} {}: {}", to_string(router_), state, group.empty() ? "loss" : group), done_,
                         total());
    }
    ++done_;
    const Swap swap = draw ? Swap{{router_}, static_cast<uint64_t>(*draw)} : Swap{};
    return cells_.losses(swap, trained);
  }

  int64_t total() const {
    const auto filled = std::count_if(groups_.begin(), groups_.end(), [](auto& g) { return !g.components.empty(); });
    return (filled + 1) * (settings_.draws + 1);
  }

  Component router_;
  const RecoverySettings& settings_;
  std::vector<Group> groups_;
  Cells cells_;
  std::vector<Diverged> diverged_;
  int64_t done_ = 0;
};

}  // namespace

RecoveryResult measure_recovery(Subject& subject, const Component& router, const RecoverySettings& settings) {
  require_sensible(subject, router, settings);
  return Measurement(subject, router, settings).run(subject.tokens_per_sequence());
}

}  // namespace absorb
