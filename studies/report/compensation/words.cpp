// What the section says of each measure: how its graph is read and how it was measured.
#include <fmt/format.h>

#include <map>

#include "studies/report/compensation/compensation.h"

namespace absorb::report {
namespace {

const std::map<std::string, MeasureWords>& all_words() {
  static const std::map<std::string, MeasureWords> words{
      {"recovery",
       {"Recovery",
        "Each arrow begins at a router whose routing was disturbed and ends at the part that was then allowed to "
        "adapt; "
        "its thickness is the loss that this part alone won back. The left edge of a layer stands for all of that "
        "layer. "
        "An arrow from a router to itself is what the router recovers of its own damage.",
        "The routing of one layer is replaced by a matched random draw for such a share of the items that the "
        "disturbance costs the same everywhere (equal dose). Then one group S of components adapts for n steps in a "
        "random subspace of m dimensions (equal capacity), everything else frozen. v(S) = [L_swap - L_swap,S(n)] - "
        "[L_base - L_base,S(n)], the loss that S wins back beyond what the same training gains without a disturbance. "
        "Module, rest of the layer and the other layers (cross) also adapt together, in all seven combinations; their "
        "Shapley values are what each adds on average over the orders of joining, and sum to v(all). Cross-layer share "
        "= Shapley(cross) / v(all), undefined where v(all) lies within its noise."}},
      {"recovery_unmatched",
       {"Recovery, unmatched",
        "As recovery, but not at equal terms: parts adapt with all their coordinates, or the disturbance costs another "
        "amount than elsewhere. Large parts and costly swaps count for more.",
        "Recovery in all coordinates, or of a router for which no dose costs the wanted damage: not matched in "
        "capacity, "
        "or not in dose. Never part of the attribution."}},
      {"components",
       {"Component graph",
        "Each arrow begins at a part whose weights were disturbed and ends at the part that made up for it, any part "
        "of "
        "the model and not routers alone.",
        "As recovery, for a disturbance of any component: noise is added to its weights until the damage is the same "
        "as "
        "that of the routers; then one other component adapts in a subspace of the same dimension."}},
      {"coupling",
       {"Coupling",
        "A line says that two parts get their gradients together: sequences that move one also move the other. It has "
        "no "
        "direction, and predicts compensation without any disturbance.",
        "||E[g_i g_j^T]||_F of per-sequence gradients as an off-diagonal U-statistic (a sequence is never paired with "
        "itself), normalised by the components' own. Its null permutes the sequences of one of the two."}},
      {"curvature",
       {"Curvature", "A line says that moving one part changes the gradient of the other. It has no direction.",
        "(H_A v).(H_B v) between two components, H the second derivatives on independent batches A and B, v random "
        "signs on one component, normalised by the components' own blocks."}},
      {"first_order",
       {"First-order prediction",
        "Each arrow begins at a disturbed router and ends at the part that one small step would use to make up for it: "
        "a "
        "cheap prediction that recovery has to be held against.",
        "rate x ||grad_S L_swap||_1, what a first step of the optimiser would win at the disturbed model."}},
      {"drift",
       {"Drift", "",
        "Relative displacement of a component between this arm and the one it is paired with, in units of the "
        "displacement between two arms that differ by a random draw alone (A/A): 1 is noise."}},
      {"angle",
       {"Angle of drift", "",
        "Angle in radians between a component's weights, taken as one vector, in this arm and in the one it is paired "
        "with."}},
      {"knock_out",
       {"Knock-out",
        "Each arrow begins at a part whose output was replaced by its mean and ends at a part whose direct effect on "
        "the "
        "correct token's logit changed in answer.",
        "Change of every writer's direct effect on the target's logit when one writer is replaced by its mean, the "
        "final norm's scale frozen at that of the whole model, since norm rescaling alone would look like repair."}}};
  return words;
}

}  // namespace

MeasureWords words_for(const std::string& measure) {
  const auto found = all_words().find(measure);
  if (found != all_words().end()) return found->second;
  return {measure, "",
          fmt::format("The numbers of {} are in each run's folder, compensation/{}.json.", measure, measure)};
}

std::string unit_of(const std::string& measure) {
  const std::string unit(measure_info(measure).unit);
  return unit.empty() || unit == "1" || unit == "ratio" ? "" : " " + unit;
}

}  // namespace absorb::report
