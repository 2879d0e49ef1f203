#include "studies/report/data/csv.h"

#include <fmt/format.h>

#include <cmath>

#include "core/error.h"

namespace absorb {
namespace {

std::string quoted(const std::string& value) {
  if (value.find_first_of(",\"\r\n") == std::string::npos) return value;
  std::string out = "\"";
  for (const char c : value) out += c == '"' ? "\"\"" : std::string(1, c);
  return out + '"';
}

}  // namespace

Csv::Csv(const std::vector<std::string>& header) : columns_(header.size()) {
  for (const std::string& name : header) cell(name);
  end();
}

Csv& Csv::cell(const std::string& value) {
  if (cells_++ > 0) text_ += ',';
  text_ += quoted(value);
  return *this;
}

Csv& Csv::cell(double value) {
  return cell(std::isfinite(value) ? fmt::format("{}", value) : std::string());
}

Csv& Csv::cell(int64_t value) {
  return cell(std::to_string(value));
}

Csv& Csv::cell(bool value) {
  return cell(std::string(value ? "true" : "false"));
}

Csv& Csv::cell(const Json& value) {
  if (value.is_boolean()) return cell(value.get<bool>());
  if (value.is_number_integer()) return cell(value.get<int64_t>());
  if (value.is_number()) return cell(value.get<double>());
  return cell(value.is_string() ? value.get<std::string>() : std::string());
}

void Csv::end() {
  check(cells_ == columns_, "[Csv] {} columns but {} cells", columns_, cells_);
  text_ += "\r\n";
  cells_ = 0;
}

}  // namespace absorb
