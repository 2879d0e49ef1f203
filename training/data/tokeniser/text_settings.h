// What [data] says of text: `type = "text"`.
#pragma once

#include "training/data/text/split_files.h"

namespace absorb {

struct TextSettings : SplitFiles {
  std::string cache;                      // folder of token files made from text; "": `tokens` beside the corpus
  std::string documents = "blank_lines";  // or "whole", or a regular expression that matches where a document starts
  std::string text_field = "text";        // of a line of .jsonl: where its text is
  std::string strip;                      // a regular expression; what it matches is cut out of every document
  std::string tokens = "bytes";           // "bytes", "bpe" (learned from the training split), "gpt2", "huggingface"
  std::string tokeniser;                  // gpt2, huggingface: folder of their files
  double valid_share = 0.01;              // of the documents of `corpus`
  double test_share = 0.01;
  int64_t split_salt = 0;  // another number deals the documents anew
  int64_t vocabulary = 0;  // bpe: ids to make
};
void fields(Fields& list, TextSettings& data);

/// Those of a [data] table of type "text".
TextSettings text_settings(const DataSettings& data);
/// UserError with the reason when the table asks for something that can't be, without looking at any file.
void require_valid(const TextSettings& data);
/// The files that it names and that don't exist.
std::vector<std::string> missing_files(const TextSettings& data);
/// The files that its tokeniser is read from; empty where it needs none.
std::vector<Path> tokeniser_files(const TextSettings& data);
/// Where text is kept as tokens: `cache`, or `tokens` beside the corpus.
std::string cache_folder(const TextSettings& data);

}  // namespace absorb
