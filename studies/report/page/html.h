// Text and tables of the page. Everything that comes from a study goes through escape() or typeset().
#pragma once

#include <string>
#include <vector>

namespace absorb::report {

/// For element content and for attributes in double quotes.
std::string escape(const std::string& text);
/// escape(), with the signs that a typesetter would use for our ASCII: minus before a number, plus-minus, dashes,
/// and no line break before a percent sign or inside "n = 5".
std::string typeset(const std::string& text);

/// A table in a box of its own that scrolls when the window is narrow. The first column heads its rows.
class Table {
 public:
  enum class Kind { words, numbers };
  /// `caption` and titles are typeset.
  explicit Table(std::string caption);
  Table& column(const std::string& title, Kind kind = Kind::numbers);
  /// One cell per column, typeset; a column of empty cells is left out.
  void row(std::vector<std::string> cells);
  bool empty() const { return rows_.empty(); }
  std::string html() const;

 private:
  struct Column {
    std::string title;
    Kind kind;
  };
  bool used(size_t column) const;
  std::string caption_;
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

/// <section> with a heading; nothing for an empty body.
std::string section(const std::string& id, const std::string& heading, const std::string& body);
/// The content, which is already HTML, behind a line to click on where `fold` says so.
std::string folded(const std::string& summary, const std::string& content, bool fold);
/// <figure>: content that is already HTML, and a caption that is typeset.
std::string figure(const std::string& content, const std::string& caption);

}  // namespace absorb::report
