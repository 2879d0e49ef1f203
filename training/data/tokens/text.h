// Text as a data set: it is first written as token files into its cache, if they aren't there yet.
#pragma once

#include "training/data/tokeniser/text_settings.h"

namespace absorb {

void add_text(DataSources& sources);

}  // namespace absorb
