// `load_balance`: E sum_e f_e P_e over experts, f the share of assignments and P the mean router probability
// (Switch Transformer, arXiv:2101.03961, eq. 4-6). `z_loss`: mean of logsumexp(scores)^2 (ST-MoE, arXiv:2202.08906, eq.
// 5).
#pragma once

#include "router/loss.h"

namespace absorb {

void add_balance(RoutingLosses& losses);

}  // namespace absorb
