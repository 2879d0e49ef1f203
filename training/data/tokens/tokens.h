// Token files (training/data/tokens/token_file.h) as a data set.
#pragma once

#include "training/data/text/split_files.h"

namespace absorb {

struct TokensSettings : SplitFiles {
  int64_t vocabulary = 0;        // ids are below it; 0: what the file's .json states
  std::string dtype = "auto";    // "uint16" or "uint32"; "auto": the .json, else uint16 up to 65,536 ids
  int64_t end_of_document = -1;  // the id that ends a document; -1: what the .json and .idx state, else one document
};
void fields(Fields& list, TokensSettings& data);

void add_tokens(DataSources& sources);

}  // namespace absorb
