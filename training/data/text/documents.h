// A corpus as a stream of documents: plain text cut where a rule says, or one JSON object a line; either one packed by
// gzip. Memory doesn't grow with the corpus, nor with a document: a long one arrives in pieces.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "core/files.h"

namespace absorb {

/// How text becomes documents.
struct DocumentRules {
  /// "blank_lines": documents are separated by lines without anything to see. "whole": a file is one document.
  /// Otherwise a regular expression (^ matches at every line) that matches where a document starts; if it has a group
  /// that holds the same text as at the document before (a headword), that document goes on. Blank lines between
  /// documents belong to none; what stands before the first start is a document too. .jsonl files don't need this rule.
  std::string documents = "blank_lines";
  /// A regular expression; what it matches is cut out of every piece of a document, and a document of which only white
  /// space is left is dropped. "": nothing.
  std::string strip;
  /// The field of a .jsonl line that holds the document.
  std::string text_field = "text";
};

/// A whole document when both are true. Pieces end at a line's end where there is one.
struct Piece {
  std::string_view text;
  bool first = true, last = true;
};

using PieceSink = std::function<void(const Piece&)>;
/// Bytes taken of the (packed) file so far.
using ByteProgress = std::function<void(std::uintmax_t)>;

/// Bytes of a document from which on it arrives in pieces.
inline constexpr std::size_t piece_bytes = 1 << 20;

/// Calls `sink` for every document of a file, in order. A name that ends in .jsonl or .jsonl.gz means one JSON object a
/// line with its text in rules.text_field. UserError naming file and line: no JSON, no such field, invalid UTF-8 in
/// .jsonl, UTF-16. Plain text may be any bytes.
void read_documents(const Path& path, const DocumentRules& rules, const PieceSink& sink,
                    const ByteProgress& progress = nullptr);

}  // namespace absorb
