// Settings as TOML text. The writing is ours because toml++ says 0.1 as 0.10000000000000001 and loses a string's
// leading newline; it reads what we write.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace absorb {

/// A table as TOML that reads back as an equal one: numbers as shortly as they keep their bits, tables below what they
/// stand in, arrays of tables as [[key]]. Keys whose value is null are left out. InternalError for what TOML can't
/// hold: null in an array, a whole number beyond 64 bits with a sign.
std::string to_toml(const nlohmann::json& table);

}  // namespace absorb
