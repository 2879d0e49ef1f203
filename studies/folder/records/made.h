// compensation/made.json: what each finished measure was made from, so that the same request needs no second look.
#pragma once

#include "studies/folder/fields/record_fields.h"

namespace absorb {

struct MadeRecord {
  std::map<std::string, std::string> measures;  // measure -> hash of its request
};
void fields(RecordFields& list, MadeRecord& made);

/// Of a run's compensation folder; empty where the file is absent or can't be read, since measuring again mends that.
MadeRecord read_made(const Path& compensation);

}  // namespace absorb
