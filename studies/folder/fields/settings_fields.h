// A settings struct as part of a record: its own list (core/settings.h) is walked, so that no field is named twice.
#pragma once

#include "studies/folder/fields/record_fields.h"

namespace absorb {

/// Of plain settings alone: numbers, words and flags.
void walk_settings(RecordFields& list, const std::function<void(Fields&)>& settings);

}  // namespace absorb
