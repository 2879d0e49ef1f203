// The `[data]` table of a study: which text, token files or synthetic task a run sees. Plain values: two equal tables
// give the same tokens.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace absorb {

class Fields;

struct DataSettings {
  std::string type = "text";  // "text", "tokens", "recall" or "rule"

  // text and tokens. Either one corpus (text: split by a hash of the document; tokens: a folder that holds train.bin,
  // valid.bin and maybe test.bin) or a path for each split.
  std::string corpus;
  std::string train, valid, test;
  std::string cache;  // folder of token files made from text; "": `tokens` beside the corpus

  // text
  std::string documents = "blank_lines";  // or "whole", or a regular expression that matches where a document starts
  std::string strip;                      // a regular expression; what it matches is cut out of every document
  std::string tokens = "bytes";           // tokeniser: "bytes", "bpe" (learned from the training split) or "gpt2"
  std::string tokeniser;                  // gpt2: folder of encoder.json and vocab.bpe
  double valid_share = 0.01;              // of the documents of `corpus`
  double test_share = 0.01;
  int64_t split_salt = 0;  // another number deals the documents anew

  // tokens
  int64_t vocabulary = 0;        // ids are below it; 0: what the file's .json states. Text as "bpe": ids to make
  std::string dtype = "auto";    // "uint16" or "uint32"; "auto": the .json, else uint16 up to 65,536 ids
  int64_t end_of_document = -1;  // the id that ends a document; -1: what the .json and .idx state, else one document

  // recall and rule (docs/science.md section 7)
  int64_t pairs = 16;        // recall: keys, each shown once
  int64_t values = 4;        // recall: values of a key; rule: values of an attribute
  int64_t classes = 8;       // rule
  int64_t attributes = 6;    // rule
  int64_t answers = 8;       // rule
  bool independent = false;  // recall, rule: answers are drawn without a look at the input: nothing can be learned
  int64_t sequences = 4096;  // held-out sequences, in valid and in test
};

/// The field list (see core/settings.h).
void fields(Fields& list, DataSettings& data);

/// UserError with the reason when the table asks for something that can't be, without looking at any file.
void require_valid(const DataSettings& data);

/// The files that the table names and that don't exist, for a dry run. Empty for synthetic tasks.
std::vector<std::string> missing_files(const DataSettings& data);

/// Where text is kept as tokens: `cache`, or `tokens` beside the corpus.
std::string cache_folder(const DataSettings& data);

}  // namespace absorb
