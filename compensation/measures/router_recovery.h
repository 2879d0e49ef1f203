// One router in the measure of recovery: its sample, its dose, what every group around it makes up for, and what random
// partitions of the players' numbers would. recovery_measure.h says what is done and in which order.
#pragma once

#include <string>
#include <vector>

#include "compensation/measures/adaptations.h"
#include "compensation/recovery/recovery.h"
#include "compensation/subject/settings.h"

namespace absorb {

/// How many pieces of work recover_router() tells `progress` of.
int64_t pieces_of_router(const Subject& subject, const CompensationSettings& settings, const Component& router);

/// `notes` gets a sentence for whatever is undefined, was left out or needs more samples, beginning with the router.
RecoveryResult recover_router(Adaptations& cells, const CompensationSettings& settings, WorkProgress& progress,
                              const Component& router, std::vector<std::string>& notes);

}  // namespace absorb
