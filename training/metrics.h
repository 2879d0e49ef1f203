// metrics.jsonl: one line a step, and one an evaluation, so that a run's curve can be read while it trains. No times
// stand in it: two runs of a seed write the same bytes.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "core/files.h"

namespace absorb {

class Metrics {
 public:
  /// Opens `path` to go on after `step`: later lines, and a torn last one, are dropped first.
  Metrics(const Path& path, int64_t step);
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;
  void write(const nlohmann::json& line);
  /// Hands all lines to the system at once. UserError where it doesn't take them.
  void flush();

 private:
  Path path_;
  int descriptor_ = -1;
  std::string waiting_;
};

/// All lines of a metrics file that are whole, each with its `step`; a torn last one, and a damaged one, is left out.
/// Empty when there is no file.
std::vector<nlohmann::json> read_metrics(const Path& path);
/// The last step up to which a file surely has every line that was written; 0 when there is none.
int64_t whole_steps(const Path& path);

}  // namespace absorb
