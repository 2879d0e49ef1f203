// The text files of a [data] table as one stream of documents, each dealt to its split.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "training/data/dataset.h"
#include "training/data/text/documents.h"
#include "training/data/tokeniser/text_settings.h"

namespace absorb {

/// One file of text, and the split that gets it (-1: its documents are dealt by their hash).
struct CorpusFile {
  std::string path;
  int split = -1;
};
std::vector<CorpusFile> corpus_files(const TextSettings& data);

/// Bytes of all files, as packed.
std::uintmax_t corpus_bytes(const TextSettings& data);

/// Share of the documents that a split is meant to get; 0 when it is not asked for, 1 for a file of its own.
double split_share(const TextSettings& data, Split split);

using SplitSink = std::function<void(Split, const Piece&)>;

/// Calls `sink` for every piece of every document, in order. `progress` gets bytes of corpus_bytes(). Errors are those
/// of read_documents.
void read_corpus(const TextSettings& data, const SplitSink& sink, const ByteProgress& progress = nullptr);

}  // namespace absorb
