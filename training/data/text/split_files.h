// Where the splits of a corpus lie: what text and token files have in common.
#pragma once

#include <array>

#include "training/data/source.h"

namespace absorb {

/// Either one corpus (text: split by a hash of the document; token files: a folder with train.bin, valid.bin and maybe
/// test.bin) or a path for each split.
struct SplitFiles {
  std::string corpus;
  std::string train, valid, test;
  std::string order = "windows";  // of training text: "windows" or "permuted"
  /// By Split.
  std::array<std::string, 3> paths() const { return {train, valid, test}; }
  /// What people read first: the corpus, or the training file.
  const std::string& name() const { return corpus.empty() ? train : corpus; }
};
void fields(Fields& list, SplitFiles& files);
/// The key that text and token files share. Text as "bpe": ids to make; token files: ids are below it, 0: as the .json
/// says.
void vocabulary_field(Fields& list, int64_t& vocabulary);

/// UserError when both a corpus and a split are named, or neither.
void require_valid(const SplitFiles& files);
/// The paths among these that don't exist, empty ones aside.
std::vector<std::string> absent(const std::vector<std::string>& paths);

}  // namespace absorb
