// Linear subjects with a structure that a measure has to find.
#pragma once

#include <span>
#include <utility>
#include <vector>

#include "tests/compensation/linear_subject.h"

namespace absorb {

/// Makes the outputs of a subject with one output per layer those of its layers: layer l moves output l alone, and
/// nothing outside the blocks moves any.
inline void make_block_diagonal(LinearSubject& subject) {
  for (auto& [component, gain] : subject.gain())
    for (std::size_t k = 0; k < gain.size(); ++k)
      if (component.layer != static_cast<int64_t>(k % subject.outputs())) gain[k] = 0;
}

/// Of a subject of 4 layers and 5 outputs: layer l moves output l by a router of gain 1 and by a module and rest of
/// gain 0.3, everything else by 0.05; but V of layer 3 can do what layer 1 does, better than layer 1 itself.
inline void plant_redundancy(LinearSubject& subject) {
  make_block_diagonal(subject);
  for (auto& [component, gain] : subject.gain())
    for (double& number : gain) number = number == 0 ? 0.05 : is_router(component.part) ? 1 : 0.3;
  subject.gain().at({3, Part::v, 0})[1] = 2;
  subject.goal_at_distance(0);
}

/// Planted edge e: both ends move output e by `strong`, and everything moves every output by `weak`. The subject needs
/// an output for each edge.
inline void plant_edges(LinearSubject& subject, std::span<const std::pair<Component, Component>> edges, double strong,
                        double weak) {
  for (const auto& [component, gain] : subject.gain()) subject.set_gain(component, weak);
  for (std::size_t e = 0; e < edges.size(); ++e)
    for (const Component& end : {edges[e].first, edges[e].second}) subject.gain().at(end)[e] = strong;
  subject.goal_at_distance(0);
}

}  // namespace absorb
