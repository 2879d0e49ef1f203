// What of a study may route earlier tokens by later ones, since it says so (routing.allow_noncausal): tables and pages
// put it above everything else.
#pragma once

#include "studies/study/study.h"

namespace absorb {

/// "not causal: arm weights_late (attention), deployment oracle (experts). ..."; empty where nothing is allowed to.
std::string noncausal_note(const Study& study);

}  // namespace absorb
