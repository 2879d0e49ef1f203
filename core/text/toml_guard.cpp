#include "core/text/toml_guard.h"

#include <algorithm>

#include "core/error.h"

namespace absorb {
namespace {

constexpr std::size_t most_bytes = 16 << 20, longest_word = 1000;
constexpr int deepest = 64;

bool is_bare(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
         c == '+' || c == ':';
}

// Walks over a text as TOML's own grammar cuts it: strings, comments, and everything else.
class Walk {
 public:
  Walk(std::string_view text, const std::string& name) : text_(text), name_(name) {}

  void whole() {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '"' || c == '\'')
        string(c);
      else if (c == '#')
        comment();
      else
        plain(c);
    }
  }

 private:
  [[noreturn]] void refuse(std::size_t at, const std::string& what) const {
    std::size_t line = 1, begin = 0;
    for (std::size_t i = 0; i < at; ++i)
      if (text_[i] == '\n') {
        ++line;
        begin = i + 1;
      }
    user_error("{}:{}:{}: {}", name_, line, at - begin + 1, what);
  }

  void control(char c) const {
    if (c == '\t' || c == '\n' || c == '\r' || (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f)) return;
    refuse(at_, fmt::format("a control character ({:#04x}): is this a text in UTF-8?", static_cast<unsigned>(c)));
  }

  // What stands before, blanks apart.
  char last() const {
    std::size_t before = at_;
    while (before > 0 && (text_[before - 1] == ' ' || text_[before - 1] == '\t')) --before;
    return before > 0 ? text_[before - 1] : '\n';
  }
  bool follows(std::string_view any_of) const { return any_of.find(last()) != std::string_view::npos; }

  void string(char quote) {
    // Elsewhere toml++ doesn't take it for the beginning of a string either, and then reads what is in it. After a dot
    // a part of a key may begin, but no value.
    if (!follows(in_value_ ? "=,[{\n" : "=,[{\n.")) refuse(at_, "a quote where no string can begin");
    const bool many = text_.substr(at_, 3) == std::string(3, quote);
    const std::string end(many ? 3 : 1, quote);
    at_ += end.size();
    while (at_ < text_.size() && text_.substr(at_, end.size()) != end && (many || text_[at_] != '\n')) {
      control(text_[at_]);
      if (quote == '"' && text_[at_] == '\\')
        escape(many);
      else
        ++at_;
    }
    at_ = std::min(at_ + end.size(), text_.size());
    while (many && at_ < text_.size() && text_[at_] == quote) ++at_;  // """" ends with a quote of its own
  }

  // A backslash and what it escapes. In a """ string toml++ asks of what follows whether it is a blank (so that a line
  // that ends in a backslash goes on), and its tables hold no answer for most letters beyond ASCII.
  void escape(bool many) {
    ++at_;
    const std::size_t next = many ? text_.find_first_not_of(" \t\r\n", at_) : at_;
    if (next < text_.size() && static_cast<unsigned char>(text_[next]) >= 0x80)
      refuse(next, "a letter beyond A to Z right after a backslash: let the line before go on with it");
    if (at_ >= text_.size() || text_[at_] == '\n') return;
    control(text_[at_]);
    ++at_;
  }

  void comment() {
    for (; at_ < text_.size() && text_[at_] != '\n'; ++at_) control(text_[at_]);
  }

  void plain(char c) {
    control(c);
    if (static_cast<unsigned char>(c) >= 0x80)
      refuse(at_, "letters beyond A to Z stand in quotes: a bare key is made of A-Z, a-z, 0-9, - and _");
    if (c == '[' || c == '{')
      if (++depth_ > deepest) refuse(at_, fmt::format("more than {} brackets in each other", deepest));
    if (c == ']' || c == '}') --depth_;
    if (c == '\n' || c == '=' || c == ',' || c == '[' || c == ']' || c == '{' || c == '}') parts_ = 0;
    if (c == '.' && ++parts_ > deepest) refuse(at_, fmt::format("a key of more than {} parts", deepest));
    out_of_place(c);
    follow(c);
    const std::size_t begin = at_;
    while (at_ < text_.size() && is_bare(text_[at_])) ++at_;
    if (at_ - begin > longest_word)
      refuse(begin, fmt::format("a word or number of more than {} characters", longest_word));
    if (at_ == begin) ++at_;
  }

  // What toml++ takes for a part of a word, with all that follows on the line and its quotes.
  void out_of_place(char c) const {
    if (c == '=' && in_value_) refuse(at_, "a second = before the value ends");
    if ((c == '[' || c == '{') && in_value_ && !follows("=,[\n")) refuse(at_, "a bracket where no value can begin");
    if (c == '{' && !in_value_) refuse(at_, "a brace where no value can begin");
  }

  // Whether a key or a value stands here. Brackets that open within a value are on the stack; those of headers aren't.
  void follow(char c) {
    if (c == '=') in_value_ = true;
    if ((c == '[' || c == '{') && in_value_) {
      within_ += c;
      in_value_ = c == '[';
    } else if ((c == ']' || c == '}') && !within_.empty()) {
      within_.pop_back();
      in_value_ = true;
    } else if (c == ',' && !within_.empty()) {
      in_value_ = within_.back() == '[';
    } else if (c == '\n' && within_.empty()) {
      in_value_ = false;
    }
  }

  std::string_view text_;
  const std::string& name_;
  std::size_t at_ = 0;
  int depth_ = 0, parts_ = 0;
  bool in_value_ = false;
  std::string within_;
};

}  // namespace

void refuse_odd_toml(std::string_view text, const std::string& name) {
  require(text.size() <= most_bytes, "{}: is larger than {} MiB, which no study is", name, most_bytes >> 20);
  if (const std::size_t bad = first_bad_utf8(text); bad != std::string_view::npos)
    user_error("{}: is no text in UTF-8: byte {:#04x} at position {}", name,
               static_cast<unsigned>(static_cast<unsigned char>(text[bad])), bad);
  Walk(text, name).whole();
}

}  // namespace absorb
