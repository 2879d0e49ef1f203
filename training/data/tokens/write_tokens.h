// Text in, token files out: the engine of `absorb tokens`, and of the cache through which training on text goes.
// Streams, so that memory stays the same for any corpus.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>

#include "training/data/dataset.h"
#include "training/data/tokeniser/text_settings.h"
#include "training/data/tokens/token_file.h"

namespace absorb {

struct TokensRequest {
  TextSettings data;
  /// Gets train.bin, valid.bin, test.bin (those that the settings ask for), each with .json and .idx, and the two files
  /// of an encoding that is learned from the training split (data.tokens = "bpe"; bpe_files.h). It must not exist, or
  /// be empty: it appears as a whole when everything is written.
  Path folder;
  /// Bytes of the (packed) input done and in all, each as often as it is read; may be empty.
  std::function<void(std::uintmax_t done, std::uintmax_t total)> progress;
};

/// What was written, by Split; 0 tokens where the settings ask for none.
using TokensResult = std::array<TokenFacts, 3>;

/// UserError: missing or unreadable input, no document in a split that is asked for, folder in use, disk full,
/// training text too small for the encoding that is to be learned.
TokensResult write_tokens(const TokensRequest& request);

/// The cache folder that holds the tokens of `data`, written first if it isn't there. Its name is a hash of the input's
/// bytes, the tokeniser's and the settings. Two processes may do so at once: the slower one's work is thrown away.
Path cached_tokens(const TextSettings& data,
                   const std::function<void(std::uintmax_t done, std::uintmax_t total)>& progress = nullptr);

}  // namespace absorb
