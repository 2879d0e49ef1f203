// Columns of plain text that fit a width: too wide a table wraps its widest column of words, never a number.
#pragma once

#include <string>
#include <vector>

namespace absorb {

class TextTable {
 public:
  enum class Align { words, left, right };  // only words wrap
  TextTable() = default;
  explicit TextTable(const std::vector<std::pair<std::string, Align>>& columns);
  /// A column that only holds empty cells is left out when the table is written.
  void column(const std::string& title, Align align);
  /// One cell per column; InternalError otherwise.
  void row(std::vector<std::string> cells);
  /// Lines of at most `width` characters, each indented by two, as far as wrapping words at 8 characters allows.
  std::string text(size_t width) const;

 private:
  struct Column {
    std::string title;
    Align align;
    size_t width = 0;
  };
  std::vector<Column> measured(size_t width) const;
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

/// Words in lines of at most `width` characters; a longer word is cut.
std::vector<std::string> wrap_words(const std::string& text, size_t width);
/// The same as one text, first line after `first`, the others after `rest`.
std::string wrapped(const std::string& text, size_t width, const std::string& first = "", const std::string& rest = "");

}  // namespace absorb
