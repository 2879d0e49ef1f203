#include "studies/report/page/html.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "core/error.h"

namespace absorb::report {
namespace {

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  for (size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
    text.replace(at, from.size(), to);
  return text;
}

bool is_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-';
}

/// A hyphen that stands for minus: before a digit and after nothing that it could join.
std::string with_minus(const std::string& text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool digit = i + 1 < text.size() && std::isdigit(static_cast<unsigned char>(text[i + 1])) != 0;
    if (text[i] == '-' && digit && (i == 0 || !is_word(text[i - 1])))
      out += "\u2212";
    else
      out += text[i];
  }
  return out;
}

}  // namespace

std::string escape(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else if (c == '"')
      out += "&quot;";
    else if (c == '\'')
      out += "&#39;";
    else if (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t')
      out += "\uFFFD";
    else
      out += c;
  }
  return out;
}

std::string typeset(const std::string& text) {
  if (text == "-") return "\u2013";
  std::string out = with_minus(escape(text));
  out = replaced(replaced(out, "+/-", "\u00B1"), " - ", " \u2013 ");
  out = replaced(out, " %", "\u00A0%");
  return replaced(replaced(out, " n = ", " n\u00A0=\u00A0"), "(n = ", "(n\u00A0=\u00A0");
}

Table::Table(std::string caption) : caption_(std::move(caption)) {}

Table& Table::column(const std::string& title, Kind kind) {
  columns_.push_back({title, kind});
  return *this;
}

void Table::row(std::vector<std::string> cells) {
  check(cells.size() == columns_.size(), "[Table] {} columns but {} cells", columns_.size(), cells.size());
  rows_.push_back(std::move(cells));
}

bool Table::used(size_t column) const {
  return std::any_of(rows_.begin(), rows_.end(), [column](const auto& cells) { return !cells[column].empty(); });
}

std::string Table::html() const {
  if (rows_.empty()) return "";
  const auto kind = [this](size_t i) { return columns_[i].kind == Kind::numbers ? "num" : "word"; };
  const std::string label = escape(caption_.substr(0, caption_.find_first_of(".:")));
  std::string out = fmt::format(
      "<figure class=\"table\">\n<figcaption>{}</figcaption>\n<div class=\"scroll\" tabindex=\"0\" role=\"region\" "
      "aria-label=\"{}\">\n<table aria-label=\"{}\">\n<thead><tr>",
      typeset(caption_), label, label);
  for (size_t i = 0; i < columns_.size(); ++i)
    if (used(i)) out += fmt::format("<th scope=\"col\" class=\"{}\">{}</th>", kind(i), typeset(columns_[i].title));
  out += "</tr></thead>\n<tbody>\n";
  for (const auto& cells : rows_) {
    out += "<tr>";
    for (size_t i = 0; i < cells.size(); ++i) {
      if (!used(i)) continue;
      const std::string tag = i == 0 ? "th scope=\"row\"" : "td";
      out += fmt::format("<{} class=\"{}\">{}</{}>", tag, kind(i), typeset(cells[i]), i == 0 ? "th" : "td");
    }
    out += "</tr>\n";
  }
  return out + "</tbody>\n</table>\n</div>\n</figure>\n";
}

std::string section(const std::string& id, const std::string& heading, const std::string& body) {
  if (body.empty()) return "";
  return fmt::format(
      "<section id=\"{}\" aria-labelledby=\"{}-heading\">\n<h2 id=\"{}-heading\">{}</h2>\n{}</section>\n", id, id, id,
      typeset(heading), body);
}

std::string folded(const std::string& summary, const std::string& content, bool fold) {
  if (!fold || content.empty()) return content;
  return "<details>\n<summary>" + typeset(summary) + "</summary>\n" + content + "</details>\n";
}

std::string figure(const std::string& content, const std::string& caption) {
  return fmt::format("<figure>\n{}<figcaption>{}</figcaption>\n</figure>\n", content, typeset(caption));
}

}  // namespace absorb::report
