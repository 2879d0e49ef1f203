// Distillation of a layer's own preference into its router (science.md sections 2 and 3): KL(softmax(QK^T) ||
// softmax(G)) in attention, KL(softmax(gain / tau) || softmax(G)) for experts, mean over items and groups.
#pragma once

#include "router/loss.h"

namespace absorb {

void add_distill(RoutingLosses& losses);

}  // namespace absorb
