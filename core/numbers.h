// Numbers as people read them, and the one that stands for a value nobody has.
#pragma once

#include <cstdint>
#include <limits>
#include <string>

namespace absorb {

/// A value that is unknown or undefined; records write it as null, tables as a dash.
inline constexpr double nan = std::numeric_limits<double>::quiet_NaN();

/// "1,234,567"
inline std::string grouped(int64_t value) {
  const std::string digits = std::to_string(value);
  std::string out;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0 && digits[i - 1] != '-') out += ',';
    out += digits[i];
  }
  return out;
}

}  // namespace absorb
