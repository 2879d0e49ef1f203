// Headerless little-endian token files (.bin), read through a memory map. Beside x.bin may stand x.json (what it holds)
// and x.idx (where documents start, uint64 in tokens): `absorb tokens` writes all three; x.bin alone will do.
#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <vector>

#include "core/files.h"

namespace absorb {

/// Contents of x.json.
struct TokenFacts {
  int64_t tokens = 0;
  int64_t documents = 0;
  int64_t text_bytes = 0;  // of the text that became these tokens; 0: unknown
  int64_t vocabulary = 0;
  std::string dtype;             // "uint16" or "uint32"
  int64_t end_of_document = -1;  // -1: none
  std::string hash;              // xxh3-128 of x.bin
};
void to_json(nlohmann::json& json, const TokenFacts& facts);
void from_json(const nlohmann::json& json, TokenFacts& facts);

/// Smallest type that holds the ids of a vocabulary.
std::string token_dtype(int64_t vocabulary);

class TokenFile {
 public:
  /// What stands in the settings; each overrides what stands in x.json.
  struct Options {
    int64_t vocabulary = 0;        // 0: as x.json says
    std::string dtype = "auto";    // "auto": as x.json says, else by the vocabulary
    int64_t end_of_document = -1;  // -1: as x.json says
    bool trusted = false;          // our own cache: ids need no check
  };

  /// UserError: unreadable, empty, cut short, no vocabulary stated, or (with its position) an id beyond the vocabulary.
  TokenFile(const Path& path, const Options& options);

  int64_t size() const { return facts_.tokens; }
  const TokenFacts& facts() const { return facts_; }
  const Path& path() const { return path_; }
  /// UserError where the file on disk is no longer what was mapped.
  void require_unchanged() const { map_.require_unchanged(); }
  /// Writes `count` ids from `begin` on.
  void copy(int64_t begin, int64_t count, int64_t* to) const;
  /// The token at which each document starts, ascending from 0.
  std::span<const uint64_t> starts() const { return starts_; }

 private:
  void settle(const Options& options);
  void check_ids() const;
  void find_starts(const Options& options);

  Path path_;
  MappedFile map_;
  TokenFacts facts_;
  std::unique_ptr<MappedFile> index_;
  std::vector<uint64_t> found_starts_;
  std::span<const uint64_t> starts_;
};

}  // namespace absorb
