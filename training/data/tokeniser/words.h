// Text cut into words as GPT-2 does before byte pair encoding (Radford et al. 2019): no token ever reaches over the end
// of a word. Also where a document may be cut so that its parts have the words of the whole.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "training/data/text/regex.h"

namespace absorb {

using WordSink = std::function<void(std::string_view)>;

/// Not for use by two threads at a time.
class WordSplitter {
 public:
  /// As GPT-2 does.
  WordSplitter();
  /// By an expression as tokenizers has them, in which \\s, \\d and \\w are Unicode's: every match is a word, and so is
  /// what stands between two. UserError that starts with `what` where it is none.
  WordSplitter(const std::string& pattern, const std::string& what);
  /// Calls `use` for every word in order; together they are `text`. Bytes that are no UTF-8 are allowed: each run of
  /// them is a word, and what stands around it is split as if it ended there.
  void split(std::string_view text, const WordSink& use) const;

 private:
  Regex pattern_;
};

/// The largest place where `text` may be cut, whatever follows it, so that the words of both parts are those of the
/// whole; 0 when there is none. It lies before a space or line's end that stands after something visible.
std::size_t last_safe_cut(std::string_view text);

/// Bytes of a document without a safe cut that are held back; from there on it is cut where it ends.
inline constexpr std::size_t longest_held = 16 << 20;

/// Joins the pieces of a document, and hands them on in parts whose words are those of the whole document (but see
/// longest_held).
class PieceJoiner {
 public:
  /// Where a text may be cut: last_safe_cut, or another rule.
  using Cut = std::function<std::size_t(std::string_view)>;
  explicit PieceJoiner(Cut cut) : cut_(std::move(cut)) {}
  /// The next piece of the open document; `last` closes it, and hands on what is held.
  void add(std::string_view piece, bool last, const WordSink& use);

 private:
  Cut cut_;
  std::string held_;
};

}  // namespace absorb
