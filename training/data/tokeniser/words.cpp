#include "training/data/tokeniser/words.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/error.h"

namespace absorb {
namespace {

// What \s means in the published expression: the characters with Unicode's property White_Space. PCRE2's own \s would
// leave out all but ASCII's, or with PCRE2_UCP take in U+180E.
constexpr std::string_view space =
    R"(\x09-\x0d\x20\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000})";

// encoder.py of github.com/openai/gpt-2.
std::string published_pattern() {
  return fmt::format(R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{{L}}+| ?\p{{N}}+| ?[^{0}\p{{L}}\p{{N}}]+|[{0}]+(?![^{0}])|[{0}]+)",
                     space);
}

bool is_ascii_space(char byte) {
  return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

/// Whether the last character is white; may also say so of broken UTF-8.
bool ends_white(std::string_view text) {
  if (static_cast<unsigned char>(text.back()) < 0x80) return is_ascii_space(text.back());
  static constexpr std::array<std::string_view, 8> white = {"\u0085", "\u00a0", "\u1680", "\u2028",
                                                            "\u2029", "\u202f", "\u205f", "\u3000"};
  if (std::any_of(white.begin(), white.end(), [&](std::string_view end) { return text.ends_with(end); })) return true;
  const std::string_view end = text.substr(text.size() - std::min<std::size_t>(text.size(), 3));
  return end >= "\u2000" && end <= "\u200a";
}

}  // namespace

namespace {

/// The expression with what PCRE2 takes for ASCII's spelt out.
std::string with_unicode_classes(const std::string& pattern, const std::string& what) {
  const std::string digit = R"(\p{Nd})", letter = R"(\p{L}\p{M}\p{N}\p{Pc})";
  std::string out;
  bool inside = false;  // of [ ]
  for (std::size_t at = 0; at < pattern.size(); ++at) {
    if (pattern[at] != '\\' || at + 1 == pattern.size()) {
      if (pattern[at] == '[') inside = true;
      if (pattern[at] == ']') inside = false;
      out += pattern[at];
      continue;
    }
    const char next = pattern[++at];
    const std::string members = next == 's' || next == 'S'   ? std::string(space)
                                : next == 'd' || next == 'D' ? digit
                                : next == 'w' || next == 'W' ? letter
                                                             : "";
    const bool negated = next == 'S' || next == 'D' || next == 'W';
    require(!inside || !negated, "{}: \\{} inside [] isn't read: {}", what, next, pattern);
    if (members.empty())
      out += std::string("\\") + next;
    else if (inside)
      out += members;
    else
      out += (negated ? "[^" : "[") + members + "]";
  }
  return out;
}

}  // namespace

WordSplitter::WordSplitter(const std::string& pattern, const std::string& what)
    : pattern_(with_unicode_classes(pattern, what), what, Regex::Text::utf8) {}

WordSplitter::WordSplitter() : pattern_(published_pattern(), "GPT-2's expression", Regex::Text::utf8) {}

void WordSplitter::split(std::string_view text, const WordSink& use) const {
  while (!text.empty()) {
    const std::string_view whole = text.substr(0, pattern_.well_formed(text));
    Regex::Match match;
    std::size_t used = 0;  // GPT-2's expression leaves nothing out
    for (std::size_t at = 0; at < whole.size() && pattern_.find(whole, at, false, match) == Regex::Found::yes;
         at = std::max(match.end, at + 1)) {
      if (match.end == match.begin) continue;
      if (match.begin > used) use(whole.substr(used, match.begin - used));
      use(whole.substr(match.begin, match.end - match.begin));
      used = match.end;
    }
    if (used < whole.size()) use(whole.substr(used));
    text.remove_prefix(whole.size());
    std::size_t broken = 0;
    // Four bytes hold any character, and looking at no more keeps this linear.
    while (broken < text.size() && pattern_.well_formed(text.substr(broken, 4)) == 0) ++broken;
    if (broken > 0) use(text.substr(0, broken));
    text.remove_prefix(broken);
  }
}

// No word goes from something visible to white space: an expression takes white space at its start, or nothing else.
// What stands before such a place meets the same end of a word as at the end of the text, and the expression looks at
// nothing before a word.
std::size_t last_safe_cut(std::string_view text) {
  for (std::size_t at = text.size(); at-- > 1;)
    if (is_ascii_space(text[at]) && !ends_white(text.substr(0, at))) return at;
  return 0;
}

void PieceJoiner::add(std::string_view piece, bool last, const WordSink& use) {
  if (last && held_.empty()) return use(piece);
  held_ += piece;
  std::size_t end = last ? held_.size() : cut_(held_);
  if (end == 0 && held_.size() >= longest_held) end = held_.size();
  if (end > 0 || last) use(std::string_view(held_).substr(0, end));
  held_.erase(0, end);
}

}  // namespace absorb
