// Whole numbers as people read them.
#pragma once

#include <cstdint>
#include <string>

namespace absorb {

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
