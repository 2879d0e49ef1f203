// Writes one token file with its .json and .idx into a folder that is not in place yet, and such folders.
#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "core/files.h"
#include "training/data/tokeniser/tokeniser.h"
#include "training/data/tokeniser/words.h"
#include "training/data/tokens/token_file.h"

namespace absorb {

/// A file that is written in order, hashed on the way.
class HashedFile {
 public:
  explicit HashedFile(const Path& path);
  ~HashedFile();
  HashedFile(const HashedFile&) = delete;
  HashedFile& operator=(const HashedFile&) = delete;
  void append(const void* data, std::size_t bytes);
  /// Flushes to disk; the xxh3-128 of what was written.
  std::string finish();

 private:
  struct State;
  void flush();
  std::unique_ptr<State> state_;
};

class TokenWriter {
 public:
  /// `path` ends in .bin.
  TokenWriter(const Path& path, std::shared_ptr<Tokeniser> tokeniser);
  /// The next text of the open document; `last` closes it. How a document is cut into texts changes no id (but see
  /// longest_held in words.h).
  void add(std::string_view text, bool last);
  /// Flushes everything; `source` goes into the .json as it is. Call once.
  TokenFacts finish(const nlohmann::json& source);

 private:
  void put(const std::vector<uint32_t>& ids);
  Path path_;
  std::shared_ptr<Tokeniser> tokeniser_;
  PieceJoiner joiner_;
  HashedFile tokens_, index_;
  TokenFacts facts_;
  bool open_ = false;  // a document has begun
  std::vector<uint32_t> ids_;
  std::vector<uint16_t> narrow_;
};

/// A folder beside `path` that becomes `path` at once, or vanishes.
class StagedFolder {
 public:
  /// Also removes what dead processes left behind more than a day ago.
  explicit StagedFolder(const Path& path);
  ~StagedFolder();
  StagedFolder(const StagedFolder&) = delete;
  StagedFolder& operator=(const StagedFolder&) = delete;
  const Path& path() const { return staging_; }
  /// False when something else has taken the place.
  bool publish();

 private:
  Path path_, staging_;
};

}  // namespace absorb
