// Tidy tables for pandas or R, as RFC 4180 has them: a header, CRLF, quotes only where needed, full precision.
#pragma once

#include <string>
#include <vector>

#include "core/settings.h"

namespace absorb {

class Csv {
 public:
  explicit Csv(const std::vector<std::string>& header);
  /// Adds a cell to the row under way. A number that isn't finite is an empty cell.
  Csv& cell(const std::string& value);
  Csv& cell(double value);
  Csv& cell(int64_t value);
  Csv& cell(bool value);
  /// Null is an empty cell.
  Csv& cell(const Json& value);
  Csv& cell(const char* value) { return cell(std::string(value)); }
  /// Ends the row; InternalError unless it has as many cells as the header.
  void end();
  const std::string& text() const { return text_; }

 private:
  size_t columns_, cells_ = 0;
  std::string text_;
};

}  // namespace absorb
