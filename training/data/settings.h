// The `[data]` table of a study, read: which data set a run sees, and that one's settings. Plain values: two equal
// tables give the same tokens. What types there are: training/data/source.h.
#pragma once

#include "core/settings.h"

namespace absorb {

/// The type, and a table of all its keys with their values.
struct DataSettings : Typed {};

/// Reads [data]; without a `type` it is text. UserError for an unknown type (with the list), an unknown key, and a
/// value out of range.
DataSettings read_data(const Settings& table);
/// The table with every value.
Json write_data(const DataSettings& data);

/// UserError with the reason when the table asks for something that can't be, without looking at any file.
void require_valid(const DataSettings& data);
/// The files that the table names and that don't exist, for a dry run. Empty for synthetic tasks.
std::vector<std::string> missing_files(const DataSettings& data);

}  // namespace absorb
