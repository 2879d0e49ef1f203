// What is refused of a TOML text before toml++ sees it.
#pragma once

#include <string>
#include <string_view>

namespace absorb {

/// UserError "name:line:column: ..." for what toml++ answers with a failed assertion or an exhausted stack rather than
/// an error: more than 16 MiB, bytes that are no UTF-8, control characters, more than 64 brackets or 64 parts of a key
/// in each other, a bare word of more than 1,000 characters.
void refuse_odd_toml(std::string_view text, const std::string& name);

}  // namespace absorb
