#include "studies/report/text/text_table.h"

#include <algorithm>
#include <sstream>

#include "core/error.h"

namespace absorb {
namespace {

constexpr size_t indent = 2, gap = 2, narrowest = 8;

std::string padded(const std::string& text, size_t width, TextTable::Align align) {
  const std::string blanks(width > text.size() ? width - text.size() : 0, ' ');
  return align == TextTable::Align::right ? blanks + text : text + blanks;
}

void append_line(std::string& out, std::string line) {
  line.erase(line.find_last_not_of(' ') + 1);
  out += line + '\n';
}

}  // namespace

std::vector<std::string> wrap_words(const std::string& text, size_t width) {
  std::vector<std::string> lines{""};
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    if (!lines.back().empty() && lines.back().size() + 1 + word.size() > width) lines.emplace_back();
    if (!lines.back().empty()) lines.back() += ' ';
    lines.back() += word;
    while (lines.back().size() > width) {
      lines.push_back(lines.back().substr(width));
      lines[lines.size() - 2].resize(width);
    }
  }
  return lines;
}

std::string wrapped(const std::string& text, size_t width, const std::string& first, const std::string& rest) {
  std::string out;
  for (const std::string& line : wrap_words(text, width - std::max(first.size(), rest.size())))
    append_line(out, (out.empty() ? first : rest) + line);
  return out;
}

TextTable::TextTable(const std::vector<std::pair<std::string, Align>>& columns) {
  for (const auto& [title, align] : columns) column(title, align);
}

void TextTable::column(const std::string& title, Align align) {
  columns_.push_back({title, align});
}

void TextTable::row(std::vector<std::string> cells) {
  check(cells.size() == columns_.size(), "[TextTable] {} columns but {} cells", columns_.size(), cells.size());
  rows_.push_back(std::move(cells));
}

std::vector<TextTable::Column> TextTable::measured(size_t width) const {
  std::vector<Column> columns = columns_;
  size_t total = indent;
  for (size_t i = 0; i < columns.size(); ++i) {
    size_t widest = 0;
    for (const auto& cells : rows_) widest = std::max(widest, cells[i].size());
    columns[i].width = widest == 0 ? 0 : std::max(widest, columns[i].title.size());
    if (widest > 0) total += columns[i].width + gap;
  }
  total -= gap;
  while (total > width) {
    Column* widest = nullptr;
    for (Column& column : columns)
      if (column.align == Align::words && (widest == nullptr || column.width > widest->width)) widest = &column;
    if (widest == nullptr || widest->width <= narrowest) break;
    --widest->width;
    --total;
  }
  return columns;
}

std::string TextTable::text(size_t width) const {
  const std::vector<Column> columns = measured(width);
  std::string out;
  const auto write = [&](const std::vector<std::string>& cells) {
    std::vector<std::vector<std::string>> lines;
    size_t height = 1;
    for (size_t i = 0; i < columns.size(); ++i) {
      lines.push_back(columns[i].width > 0 && cells[i].size() > columns[i].width
                          ? wrap_words(cells[i], columns[i].width)
                          : std::vector<std::string>{cells[i]});
      if (columns[i].width > 0) height = std::max(height, lines.back().size());
    }
    for (size_t at = 0; at < height; ++at) {
      std::string line(indent, ' ');
      for (size_t i = 0; i < columns.size(); ++i)
        if (columns[i].width > 0)
          line += padded(at < lines[i].size() ? lines[i][at] : "", columns[i].width, columns[i].align) +
                  std::string(gap, ' ');
      append_line(out, line);
    }
  };
  std::vector<std::string> titles;
  for (const Column& column : columns) titles.push_back(column.title);
  write(titles);
  for (const auto& cells : rows_) write(cells);
  return out;
}

}  // namespace absorb
