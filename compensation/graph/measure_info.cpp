#include "compensation/graph/measure_info.h"

#include <algorithm>

#include "core/error.h"

namespace absorb {

void Measures::add(Measure measure) {
  check(!measure.edges.empty() && measure.make != nullptr, "a measure needs edges and a function that makes them");
  for (const MeasureInfo& edges : measure.edges)
    check(edges_named(edges.name) == nullptr, "measure \"{}\" is registered twice", edges.name);
  all_.push_back(std::move(measure));
}

const Measure* Measures::find(std::string_view name) const {
  const auto found = std::ranges::find_if(all_, [&](const Measure& measure) { return measure.name() == name; });
  return found == all_.end() ? nullptr : &*found;
}

const MeasureInfo* Measures::edges_named(std::string_view name) const {
  for (const Measure& measure : all_)
    for (const MeasureInfo& edges : measure.edges)
      if (edges.name == name) return &edges;
  return nullptr;
}

const MeasureInfo& measure_info(std::string_view name) {
  static const MeasureInfo unknown;
  const MeasureInfo* found = measures().edges_named(name);
  return found == nullptr ? unknown : *found;
}

std::vector<std::string> edge_names() {
  std::vector<std::string> names;
  for (const Measure& measure : measures().all())
    for (const MeasureInfo& edges : measure.edges) names.push_back(edges.name);
  return names;
}

std::vector<std::string> edge_names(MeasureRole role) {
  std::vector<std::string> names = edge_names();
  std::erase_if(names, [role](const std::string& name) { return measure_info(name).role != role; });
  return names;
}

}  // namespace absorb
