// A byte pair encoding as the two files that GPT-2 was published with and that other tools open: encoder.json (token to
// id) and vocab.bpe (merges, earliest first). Bytes stand in them as printable characters.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/files.h"
#include "training/data/tokeniser/bpe.h"

namespace absorb {

inline constexpr const char* encoder_file = "encoder.json";
inline constexpr const char* merges_file = "vocab.bpe";

/// UserError naming file and line: absent, no such file, ids with gaps, a byte or a merge's result without an id, no
/// <|endoftext|>.
BpeModel read_bpe(const Path& folder);
/// Writes both files into a folder that exists.
void write_bpe(const BpeModel& model, const Path& folder);
/// Ids in the folder's encoder.json.
int64_t bpe_vocabulary(const Path& folder);

/// The order of single bytes in GPT-2's vocabulary, where they are ids 0 .. 255: printable ones first.
std::array<unsigned char, 256> byte_order();
/// GPT-2's map of bytes to printable characters, in UTF-8 (bytes_to_unicode in its encoder.py).
std::string to_printable(std::string_view bytes);
/// Its inverse; nothing when a character stands for no byte.
std::optional<std::string> from_printable(std::string_view text);

}  // namespace absorb
