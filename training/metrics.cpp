#include "training/metrics.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/error.h"
#include "core/system.h"
#include "core/text/json.h"

namespace absorb {

namespace {

// Null for what is no line of metrics.
nlohmann::json parsed(const std::string& line) {
  auto json = parse_json(line);
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
  descriptor_ = system::open(path.c_str(), O_WRONLY | O_APPEND);
  require(descriptor_ >= 0, "can't write {}: {}", path.string(), std::strerror(errno));
}

Metrics::~Metrics() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void Metrics::write(const nlohmann::json& line) {
  waiting_ += line.dump() + '\n';
}

void Metrics::flush() {
  write_bytes(descriptor_, waiting_, path_);
  waiting_.clear();
}

}  // namespace absorb
