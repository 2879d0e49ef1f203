// Finished pieces of a measurement, each under the hash of everything it depends on, so that a killed measurement goes
// on where it stopped and ends with the same numbers, and measures share what they have in common.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "core/settings.h"

namespace absorb {

class Cells {
 public:
  /// `cache`: a folder, made if absent; empty: cells are kept in memory alone. UserError if it can't be written.
  explicit Cells(Path cache);

  /// The value under `key` (all that it depends on): from memory, from the folder, or made now and kept. A file that is
  /// damaged, or whose key is another, is made again.
  const Json& get(const Json& key, const std::function<Json()>& make);
  /// Whether get() would have to make it.
  bool has(const Json& key);

 private:
  Path path_of(const std::string& name) const;
  Path cache_;
  std::map<std::string, Json> known_;
};

}  // namespace absorb
