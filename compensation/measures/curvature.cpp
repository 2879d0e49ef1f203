#include "compensation/measures/curvature.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "compensation/measures/work.h"
#include "compensation/recovery/recovery.h"
#include "core/error.h"
#include "core/random.h"

namespace absorb {
namespace {

/// Of S [components, components]: row b over the probes of b.
Tensor symmetric(const Tensor& s) {
  return (s + s.t()) / 2;
}
Tensor normalised(const Tensor& s) {
  const Tensor scale = at::where(s.diagonal() > 0, s.diagonal(), unknown).sqrt();
  return symmetric(s) / (scale.unsqueeze(1) * scale.unsqueeze(0));
}

/// [components, components]: the variance that the probes of b give to every value; those of other rows are 0.
Tensor jackknife_variance(const Tensor& s, const Tensor& probes /* [probes, components] */, int64_t b) {
  const int64_t count = probes.size(0);
  std::vector<Tensor> left_out;
  for (int64_t probe = 0; probe < count; ++probe) {
    Tensor changed = s.clone();
    changed.select(0, b).copy_((probes.sum(0) - probes.select(0, probe)) / static_cast<double>(count - 1));
    left_out.push_back(normalised(changed));
  }
  const Tensor values = at::stack(left_out);
  return (values - values.mean(0)).square().sum(0) * (static_cast<double>(count - 1) / static_cast<double>(count));
}

Tensor signs(const std::string& component, int64_t probe, const Tensor& like) {
  const RandomKey key{stream_key(0, fmt::format("curvature/{}/{}", component, probe)), {}};
  return at::where(uniform(key, {like.size(0)}, like.device()) < 0.5, 1.0, -1.0).to(like.scalar_type());
}

class Curvature {
 public:
  Curvature(Subject& subject, const CompensationSettings& settings, const MeasureContext& context)
      : subject_(subject),
        settings_(settings),
        groups_(part_groups(subject.components())),
        batch_(std::min(settings.curvature_sequences, subject.held_out() / 2)),
        work_("curvature", subject, context),
        rows_(groups_.size()) {
    require(batch_ >= 1, "curvature compares two batches: this run has {} sequences held out, and needs at least 2",
            subject.held_out());
  }

  Measurement run() {
    const SampleSizes sizes{settings_.probes, std::max(settings_.probes, settings_.most_probes), settings_.precision,
                            "probes of each component"};
    const Sampled sampled = sample_until_precise(sizes, [&](int64_t probes) { return relative_errors(probes); });
    Measurement result;
    result.measure = "curvature";
    result.identity = measurement_identity("curvature", subject_,
                                           {{"probes", settings_.probes},
                                            {"most_probes", settings_.most_probes},
                                            {"sequences", settings_.curvature_sequences},
                                            {"precision", settings_.precision}});
    result.nodes = nodes_of(groups_);
    result.details = {{"probes", sampled.samples}, {"sequences", batch_}};
    add_edges(result, 2 * sampled.samples);
    if (batch_ < settings_.curvature_sequences)
      result.notes.push_back(fmt::format("The batches have {} sequences instead of {}: no more are held out.", batch_,
                                         settings_.curvature_sequences));
    if (!sampled.note.empty()) result.notes.push_back(sampled.note);
    result.seconds = work_.seconds();
    return result;
  }

 private:
  std::vector<double> relative_errors(int64_t probes) {
    work_.expect((probes - static_cast<int64_t>(rows_.front().size())) * static_cast<int64_t>(groups_.size()));
    std::vector<Tensor> products;
    for (std::size_t b = 0; b < groups_.size(); ++b) {
      while (static_cast<int64_t>(rows_[b].size()) < probes)
        rows_[b].push_back(probe(b, static_cast<int64_t>(rows_[b].size())));
      products.push_back(at::stack(rows_[b]));
    }
    statistic_ = curvature_of(products);
    std::vector<double> errors;
    for (std::size_t i = 0; i < groups_.size(); ++i)
      for (std::size_t j = i + 1; j < groups_.size(); ++j) {
        const double value = entry(statistic_.value, i, j), error = entry(statistic_.standard_error, i, j);
        if (value > 0 && !(value <= noise_errors * error)) errors.push_back(error / value);
      }
    return errors;
  }

  /// [components]: (H_A v)_j . (H_B v)_j.
  Tensor probe(std::size_t b, int64_t probe) {
    const auto [first, second] = batches(probe * static_cast<int64_t>(groups_.size()) + static_cast<int64_t>(b));
    const Json piece{
        {"groups", names_of(groups_)}, {"block", groups_[b].name}, {"probe", probe}, {"a", first}, {"b", second}};
    const std::string next = fmt::format("probe {} of {}", probe + 1, groups_[b].name);
    const Json& cell = work_.get(piece, next, [&, &first = first, &second = second] {
      const Tensor v = signs(groups_[b].name, probe, subject_.values(groups_[b]));
      return products(b, subject_.hessian_products(groups_, b, v, first),
                      subject_.hessian_products(groups_, b, v, second));
    });
    return at::tensor(cell.get<std::vector<double>>(), at::kDouble);
  }

  Json products(std::size_t b, const std::vector<Tensor>& first, const std::vector<Tensor>& second) const {
    check(first.size() == groups_.size() && second.size() == groups_.size(), "[curvature] products of other groups");
    std::vector<double> row;
    for (std::size_t j = 0; j < groups_.size(); ++j) {
      row.push_back(at::dot(first[j].to(at::kDouble), second[j].to(at::kDouble)).item<double>());
      require(std::isfinite(row.back()), "the second derivatives between {} and {} are not finite", groups_[b].name,
              groups_[j].name);
    }
    return row;
  }

  /// The two batches of probe number `index` of all: the next sequences of a shuffled held-out set, which is shuffled
  /// anew when it is used up.
  std::pair<std::vector<int64_t>, std::vector<int64_t>> batches(int64_t index) const {
    const int64_t in_epoch = subject_.held_out() / (2 * batch_);
    const auto order = shuffled_sequences(subject_.held_out(), static_cast<uint64_t>(index / in_epoch));
    const auto begin = order.begin() + (index % in_epoch) * 2 * batch_;
    return {{begin, begin + batch_}, {begin + batch_, begin + 2 * batch_}};
  }

  void add_edges(Measurement& result, int64_t samples) const {
    Json& edges = result.details["edges"] = Json::array();
    Json& own = result.details["own"] = Json::array();
    std::vector<std::string> without;
    for (std::size_t i = 0; i < groups_.size(); ++i) {
      own.push_back({{"node", result.nodes[i].name}, {"squared", entry(statistic_.squared, i, i)}});
      if (!(entry(statistic_.squared, i, i) > 0)) without.push_back(result.nodes[i].name);
      for (std::size_t j = i + 1; j < groups_.size(); ++j) {
        const double value = entry(statistic_.value, i, j);
        if (!std::isfinite(value)) continue;
        const std::string &from = result.nodes[i].name, &to = result.nodes[j].name;
        result.edges.push_back(
            {from, to, value, entry(statistic_.standard_error, i, j), samples, "curvature", {}, {}, 0});
        edges.push_back({{"from", from}, {"to", to}, {"squared", entry(statistic_.squared, i, j)}});
      }
    }
    if (!without.empty())
      result.notes.push_back(fmt::format(
          "The curvature of {} by itself is not above 0, so that the edges there are left out.", join(without)));
  }

  Subject& subject_;
  const CompensationSettings& settings_;
  std::vector<Group> groups_;
  int64_t batch_;
  Work work_;
  std::vector<std::vector<Tensor>> rows_;  // [components][probes] of [components]
  CurvatureStatistic statistic_;
};

}  // namespace

CurvatureStatistic curvature_of(std::span<const Tensor> products) {
  check(!products.empty(), "[curvature_of] no component");
  std::vector<Tensor> means;
  for (const Tensor& probes : products) {
    check(probes.sizes() == products[0].sizes() && probes.size(1) == static_cast<int64_t>(products.size()),
          "[curvature_of] products of unequal size");
    means.push_back(probes.mean(0));
  }
  const Tensor s = at::stack(means);
  CurvatureStatistic result{symmetric(s), normalised(s), at::full_like(s, unknown)};
  if (products[0].size(0) < 2) return result;
  Tensor variance = at::zeros_like(s);
  for (std::size_t b = 0; b < products.size(); ++b)
    variance += jackknife_variance(s, products[b], static_cast<int64_t>(b));
  result.standard_error = variance.sqrt();
  return result;
}

Measurement measure_curvature(Subject& subject, const CompensationSettings& settings, const MeasureContext& context) {
  return Curvature(subject, settings, context).run();
}

void add_curvature(Measures& measures) {
  measures.add(
      {.edges = {{.name = "curvature",
                  .unit = "1",
                  .directed = false,
                  .role = MeasureRole::predicts,
                  .title = "Curvature",
                  .reading = "A line says that moving one part changes the gradient of the other. It has no direction.",
                  .definition =
                      "(H_A v).(H_B v) between two components, H the second derivatives on independent batches A and "
                      "B, v random signs on one component, normalised by the components' own blocks."}},
       .make = measure_curvature,
       .order = 5});
}

}  // namespace absorb
