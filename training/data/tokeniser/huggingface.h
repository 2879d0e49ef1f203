// tokenizer.json as Hugging Face's tokenizers writes it: byte-level byte pair encoding with its own split expressions,
// added tokens and normalisers. The ids are those of its encode(text, add_special_tokens = false).
#pragma once

#include <memory>

#include "core/files.h"
#include "training/data/tokeniser/tokeniser.h"

namespace absorb {

inline constexpr const char* huggingface_file = "tokenizer.json";
inline constexpr const char* huggingface_config_file = "tokenizer_config.json";

/// Reads the file in `folder`. What ends a document: eos_token of tokenizer_config.json beside it, or the first of
/// <|endoftext|>, <|end_of_text|>, </s> and <|im_end|> that is among the added tokens; in text it isn't recognised, so
/// that no document holds it. UserError naming the file and the part that isn't read.
std::shared_ptr<Tokeniser> read_huggingface(const Path& folder);

}  // namespace absorb
