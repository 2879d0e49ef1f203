#include "compensation/subject/settings.h"

#include <algorithm>
#include <functional>
#include <set>

#include "core/error.h"

namespace absorb {

void fields(Fields& list, CompensationSettings& s) {
  list.field("measures", s.measures,
             "What `absorb compensate` measures without --measures, of `absorb list measures`; empty: all.");
  list.field("steps", s.steps, {0, 1'000'000},
             "Steps of adaptation after which recovery is read, rising; the last is the headline.");
  list.field("dimensions", s.dimensions, {0, 1 << 30},
             "Dimensions of the random subspace that a group adapts in, 0 for all its coordinates; the first is the "
             "headline.");
  list.field("draws", s.draws, {1, 1000}, "Draws of a disturbance, each with a subspace of its own.");
  list.field(
      "damage", s.damage, {0, 100},
      "Nats per token that every disturbance costs before adaptation (equal dose); 0: routers are swapped whole.");
  list.field("batch", s.batch, {0, 1 << 20}, "Sequences in a step of adaptation; 0: as many as the run trained with.");
  list.field("sequences", s.sequences, {1, 1 << 30}, "Held-out sequences to begin with.");
  list.field("most_sequences", s.most_sequences, {1, 1 << 30}, "As many as precision may ask for.");
  list.field("component_draws", s.component_draws, {1, 1000}, "Draws in the component graph.");
  list.field("damage_doublings", s.damage_doublings, {0, 20},
             "Recovery: how often the damage is doubled for the curve over the dose, with 7 adaptations a draw each "
             "time; 0: no curve.");
  list.field("random_partitions", s.random_partitions, {0, 1000},
             "Recovery: random partitions for each draw of the players' numbers into parts of their sizes, whose "
             "attribution stands beside theirs: what size alone would give. 0: none; each costs 7 adaptations a draw.");
  list.field("precision", s.precision, {1e-6, 1},
             "Relative standard error that sets sample sizes; what more is needed is said.");
  list.field("examples", s.examples, {32, 1 << 30}, "Sequences whose gradients coupling begins with.");
  list.field("most_examples", s.most_examples, {32, 1 << 30}, "As many as precision may ask for.");
  list.field("sketch", s.sketch, {0, 1 << 24},
             "Numbers that a component's gradient is sketched to for coupling; 0: none, the exact gradient.");
  list.field("permutations", s.permutations, {1, 1'000'000}, "Permutations of coupling's null.");
  list.field("probes", s.probes, {1, 1 << 20}, "Random directions for each component's curvature to begin with.");
  list.field("most_probes", s.most_probes, {1, 1 << 20}, "As many as precision may ask for.");
  list.field("curvature_sequences", s.curvature_sequences, {1, 1 << 20},
             "Sequences in each of curvature's two batches.");
  list.field("paired", s.paired,
             "Drift: the arm that an arm is compared with; empty: the control of the first contrast that treats it.");
  list.field("same", s.same,
             "Drift: another draw of that arm (A/A), whose distance is the unit; empty: its name with a 2, if there is "
             "such an arm.");
}

Json identifying(const CompensationSettings& settings) {
  Json json = write_settings(settings);
  if (settings.damage_doublings == 0) json.erase("damage_doublings");
  if (settings.random_partitions == 0) json.erase("random_partitions");
  return json;
}

void require_sensible(const CompensationSettings& s, const std::string& where) {
  require(
      !s.steps.empty() && std::adjacent_find(s.steps.begin(), s.steps.end(), std::greater_equal<>()) == s.steps.end(),
      "{}: compensation.steps must hold at least one number, and rise", where);
  require(!s.dimensions.empty() &&
              std::set<int64_t>(s.dimensions.begin(), s.dimensions.end()).size() == s.dimensions.size(),
          "{}: compensation.dimensions must hold at least one number, each once", where);
}

}  // namespace absorb
