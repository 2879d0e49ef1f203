// What a study's folder holds, for docs/folder.md and `absorb list folder`: written from the lists that read it.
#pragma once

#include <string>

namespace absorb {

/// docs/folder.md
std::string folder_page();
/// The same for a terminal.
std::string folder_text();

}  // namespace absorb
