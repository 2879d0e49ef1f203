#include <torch/types.h>

#include "core/error.h"
#include "studies/subject/run_subject.h"

namespace absorb {
namespace {

Tensor sum_of(const std::map<Site, Tensor>& writes) {
  Tensor sum;
  for (const auto& [site, output] : writes) sum = sum.defined() ? sum + output : output;
  return sum;
}

}  // namespace

std::vector<Group> RunSubject::writers() const {
  std::vector<Group> groups;
  for (const Site& site : run_.model().writers()) {
    if (site == "embedding") {
      groups.push_back({site, {{-1, Part::embedding, 0}}});
      continue;
    }
    // "blocks.<l>.attention", "blocks.<l>.feed_forward"
    const int64_t layer = static_cast<int64_t>(groups.size() - 1) / 2;
    const bool attention = site.ends_with(".attention");
    Group group;
    for (const Component& c : components_)
      if (c.layer == layer && (attention ? c.part == Part::o : c.part == Part::feed_forward || c.part == Part::expert))
        group.components.push_back(c);
    check(!group.components.empty(), "[RunSubject] {} writes without parameters", site);
    group.name = fmt::format("{}.{}", layer, to_string(group.components.front().part));
    groups.push_back(std::move(group));
  }
  return groups;
}

RunSubject::Writes RunSubject::writes_of(const Batch& batch, const Pass& pass, const Site& ablated,
                                         const Tensor& instead) const {
  Writes writes;
  PassInput input = pass.in;
  input.write = [&](const Site& site, const Tensor& y) {
    const Tensor out = site == ablated ? instead.expand_as(y) : y;
    writes[site] = out;
    return out;
  };
  Pass looked{.in = std::move(input)};
  run_.losses()(batch, looked);
  return writes;
}

const RunSubject::Writes& RunSubject::means_of(Examples examples) {
  if (!averaged_.empty() && std::ranges::equal(averaged_, examples)) return means_;
  means_.clear();
  averaged_.clear();
  Writes sums;
  each_batch(examples, [&](const Batch& batch, Pass& pass) {
    for (const auto& [site, output] : writes_of(batch, pass, {}, {})) {
      const Tensor sum = output.to(at::kDouble).sum(at::IntArrayRef{0, 1});
      Tensor& all = sums[site];
      all = all.defined() ? all + sum : sum;
    }
  });
  const auto tokens = static_cast<double>(examples.size() * static_cast<std::size_t>(data_->context()));
  for (const auto& [site, sum] : sums) means_[site] = (sum / tokens).to(run_.parameters().flat().scalar_type());
  averaged_.assign(examples.begin(), examples.end());
  return means_;
}

std::vector<double> RunSubject::ablated_losses(std::span<const std::size_t> ablated, Examples examples) {
  if (ablated.empty()) return evaluate(run_.routes(), examples);
  const at::NoGradGuard no_grad;
  const std::vector<Site> sites = run_.model().writers();
  const Writes& means = means_of(examples);
  Writes instead;
  for (const std::size_t place : ablated) instead[sites.at(place)] = means.at(sites[place]);
  return evaluate(run_.routes(), examples, [&instead](const Site& site, const Tensor& y) {
    const auto mean = instead.find(site);
    return mean == instead.end() ? y : mean->second.expand_as(y);
  });
}

Tensor RunSubject::direct_effects(std::optional<std::size_t> ablated, Examples examples) {
  const at::NoGradGuard no_grad;
  const std::vector<Site> sites = run_.model().writers();
  const Site out = ablated ? sites.at(*ablated) : Site();
  const Tensor mean = ablated ? means_of(examples).at(out) : Tensor();  // [D], of the ablated writer's output
  std::vector<Tensor> effects;                                          // [writers, batch] each
  each_batch(examples, [&](const Batch& batch, Pass& pass) {
    const Writes clean = writes_of(batch, pass, {}, {});
    const Writes writes = ablated ? writes_of(batch, pass, out, mean) : clean;
    const Tensor stream = sum_of(clean), count = (batch.targets >= 0).sum(1).clamp_min(1);
    std::vector<Tensor> rows;
    for (const Site& site : sites)
      rows.push_back(run_.model().direct_effect(writes.at(site), stream, batch.targets).to(at::kDouble).sum(1) / count);
    effects.push_back(at::stack(rows));
  });
  return at::cat(effects, 1).cpu();
}

}  // namespace absorb
