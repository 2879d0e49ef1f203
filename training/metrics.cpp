#include "training/metrics.h"

#include <nlohmann/json.hpp>
#include <sstream>

#include "core/error.h"

namespace absorb {

namespace {

// Null for what is no line of metrics.
nlohmann::json parsed(const std::string& line) {
  auto json = nlohmann::json::parse(line, nullptr, false);
  const bool whole = json.is_object() && json.contains("step") && json["step"].is_number_integer();
  return whole ? json : nlohmann::json();
}

}  // namespace

std::vector<nlohmann::json> read_metrics(const Path& path) {
  std::vector<nlohmann::json> lines;
  if (!std::filesystem::exists(path)) return lines;
  std::istringstream in(read_file(path));
  for (std::string line; std::getline(in, line);)
    if (auto json = parsed(line); !json.is_null()) lines.push_back(std::move(json));
  return lines;
}

int64_t whole_steps(const Path& path) {
  int64_t step = 0;
  if (!std::filesystem::exists(path)) return step;
  std::istringstream in(read_file(path));
  for (std::string line; std::getline(in, line);) {
    const bool torn = in.eof();  // the last line, without its end: what a kill leaves
    const auto json = parsed(line);
    if (json.is_null()) return torn ? step : step - 1;  // it may have been that step's evaluation
    step = json["step"];
  }
  return step;
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
