#include "training/metrics.h"

#include <nlohmann/json.hpp>
#include <sstream>

#include "core/error.h"

namespace absorb {

std::vector<nlohmann::json> read_metrics(const Path& path) {
  std::vector<nlohmann::json> lines;
  if (!std::filesystem::exists(path)) return lines;
  std::istringstream in(read_file(path));
  for (std::string line; std::getline(in, line);) {
    auto parsed = nlohmann::json::parse(line, nullptr, false);
    if (parsed.is_object()) lines.push_back(std::move(parsed));
  }
  return lines;
}

Metrics::Metrics(const Path& path, int64_t step) : path_(path) {
  std::string kept;
  for (const auto& line : read_metrics(path))
    if (line.at("step").get<int64_t>() <= step) kept += line.dump() + '\n';
  write_file(path, kept);
  out_.open(path, std::ios::app);
  require(out_.is_open(), "{}: can't be written", path.string());
}

void Metrics::write(const nlohmann::json& line) {
  out_ << line.dump() << '\n';
}

void Metrics::flush() {
  out_.flush();
  require(out_.good(), "{}: can't be written: is the disk full?", path_.string());
}

}  // namespace absorb
