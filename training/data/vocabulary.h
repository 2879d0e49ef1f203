// The vocabulary that a [data] table implies, without opening the corpus: what a dry run counts parameters with.
#pragma once

#include "training/data/settings.h"

namespace absorb {

/// Of text as "gpt2" it reads the tokeniser's file. UserError when that is absent, or token files don't state their
/// vocabulary, neither in the table nor beside them.
int64_t stated_vocabulary(const DataSettings& data);

}  // namespace absorb
