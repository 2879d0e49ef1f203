// PCRE2 behind a small face, with the one thing that streamed text needs: a search can say that the end of the window
// might be the beginning of a match. Patterns work on bytes (UTF-8 letters match as they are written, but not inside
// []), unless the text is said to be UTF-8.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace absorb {

/// Not for use by two threads at a time.
class Regex {
 public:
  enum class Found { no, partly, yes };
  enum class Text { bytes, utf8 };
  struct Match {
    std::size_t begin = 0, end = 0;
    std::string_view group;  // the first group, if the pattern has one and it matched
  };

  /// ^ and $ match at every line. UserError that starts with `what` when `pattern` is no regular expression.
  Regex(const std::string& pattern, std::string what, Text text = Text::bytes);
  ~Regex();
  Regex(Regex&&) noexcept;

  /// The first match at or after `from`. If `more` text will follow, `partly` means that a match might begin at
  /// match.begin and can't be decided yet. With Text::utf8 the text must be well-formed, which is not checked.
  Found find(std::string_view text, std::size_t from, bool more, Match& match) const;
  /// Bytes up to the first that belongs to no well-formed UTF-8 character (Unicode 15, table 3-7). Text::utf8 alone.
  std::size_t well_formed(std::string_view text) const;
  /// Bytes before a match that it may look at.
  std::size_t lookbehind() const;
  bool has_group() const;

 private:
  struct Code;
  std::unique_ptr<Code> code_;
  std::string what_;
};

/// `text` without what `regex` matches, into `out`.
void remove_matches(const Regex& regex, std::string_view text, std::string& out);

}  // namespace absorb
