// What a study file may say, written from the field lists themselves: `absorb list`, and docs/settings.md.
#pragma once

#include <string>

namespace absorb {

/// "routers", "selections", "losses", "data", "measures" or "settings"; UserError on anything else.
std::string list_text(const std::string& what);
/// docs/settings.md, whole.
std::string settings_page();

}  // namespace absorb
