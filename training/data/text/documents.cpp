#include "training/data/text/documents.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "core/error.h"
#include "training/data/text/byte_source.h"
#include "training/data/text/regex.h"

namespace absorb {
namespace {

constexpr std::size_t window_bytes = 1 << 20;
constexpr std::size_t largest_line = 64 << 20;
constexpr std::string_view white = " \t\r\n\f\v";
// What \K leaves is the start of the first line after blank ones.
constexpr const char* after_blank_lines = R"(\n(?:[ \t\r]*\n)+\K(?=[^\n]))";

/// Reads one more window onto the end of `buffer`. False at the end of the file.
bool append(ByteSource& source, std::string& buffer, const ByteProgress& progress) {
  const std::size_t before = buffer.size();
  buffer.resize(before + window_bytes);
  const std::size_t count = source.read(buffer.data() + before, window_bytes);
  buffer.resize(before + count);
  if (progress) progress(source.taken());
  return count > 0;
}

/// Cuts plain text into documents. The buffer holds a little of what came before (for the regular expression to look
/// back at) and the document that is still open.
class TextReader {
 public:
  TextReader(const Path& path, const std::string& documents, const PieceSink& sink, const ByteProgress& progress)
      : source_(path), sink_(sink), progress_(progress), whole_(documents == "whole") {
    if (!whole_) start_.emplace(documents == "blank_lines" ? after_blank_lines : documents, "data.documents");
  }

  void read() {
    bool more = true;
    while (more) {
      more = append(source_, buffer_, progress_);
      refuse_utf16();
      search(more);
      if (more) cut_piece();
      forget();
    }
    emit(buffer_.size(), true);
  }

 private:
  // Any bytes are text; but every second byte of what Windows calls Unicode would be 0, and nobody means that.
  void refuse_utf16() const {
    const bool marked = buffer_.starts_with("\xff\xfe") || buffer_.starts_with("\xfe\xff");
    require(dropped_ > 0 || !marked, "{} is UTF-16: write it as UTF-8", source_.path().string());
  }

  /// Finds the starts that can be decided, and emits what they close.
  void search(bool more) {
    if (!start_) {
      searched_ = buffer_.size();
      return;
    }
    Regex::Match match;
    for (;;) {
      const Regex::Found found = start_->find(buffer_, searched_, more, match);
      if (found == Regex::Found::yes) {
        begin_document(match);
        searched_ = std::max(match.end, std::max(match.begin, searched_) + 1);
        if (searched_ <= buffer_.size()) continue;
      }
      searched_ = found == Regex::Found::partly ? std::max(match.begin, searched_) : buffer_.size();
      require(buffer_.size() - searched_ <= largest_line, "data.documents: the regular expression looks too far ahead");
      return;
    }
  }

  void begin_document(const Regex::Match& match) {
    const bool goes_on = !match.group.empty() && match.group == headword_;
    headword_ = match.group;
    if (!goes_on && (match.begin > open_ || !first_)) emit(match.begin, true);
  }

  /// A long document leaves in pieces, so that the buffer stays small.
  void cut_piece() {
    if (searched_ < open_ + piece_bytes) return;
    const std::size_t line = buffer_.rfind('\n', searched_ - 1);
    emit(line == std::string::npos || line < open_ ? searched_ : line + 1, false);
  }

  /// Hands over [open_, end).
  void emit(std::size_t end, bool last) {
    std::string_view text = std::string_view(buffer_).substr(open_, end - open_);
    open_ = end;
    if (!whole_) {
      if (first_) text.remove_prefix(leading_blank_lines(text));
      if (last) text = text.substr(0, text.find_last_not_of(white) + 1);
    }
    if (first_ && text.empty()) return;
    sink_({text, first_, last});
    first_ = last;
  }

  static std::size_t leading_blank_lines(std::string_view text) {
    const std::size_t seen = std::min(text.find_first_not_of(white), text.size());
    const std::size_t line = text.substr(0, seen).rfind('\n');
    return line == std::string_view::npos ? 0 : line + 1;
  }

  void forget() {
    const std::size_t kept = start_ ? std::max<std::size_t>(start_->lookbehind(), 1) : 1;
    if (open_ <= kept) return;
    const std::size_t drop = open_ - kept;
    buffer_.erase(0, drop);
    dropped_ += drop;
    open_ -= drop;
    searched_ -= std::min(searched_, drop);
  }

  ByteSource source_;
  const PieceSink& sink_;
  const ByteProgress& progress_;
  bool whole_;
  std::optional<Regex> start_;
  std::string buffer_, headword_;
  std::size_t open_ = 0, searched_ = 0, dropped_ = 0;  // places in the buffer; bytes that left it
  bool first_ = true;                                  // nothing of the open document was emitted
};

/// The field of one line that holds its text.
std::string text_of_line(std::string_view line, const std::string& field, const std::string& where) {
  nlohmann::json object;
  try {
    object = nlohmann::json::parse(line);
  } catch (const nlohmann::json::out_of_range&) {
    user_error("{}: no JSON object: a number beyond all bounds", where);
  } catch (const nlohmann::json::parse_error& error) {
    const std::string_view message = error.what();
    require(message.find("ill-formed UTF-8") == std::string_view::npos, "{}: invalid UTF-8 at byte {} of the line",
            where, error.byte);
    user_error("{}: no JSON object: an error at byte {} of the line", where, error.byte);
  }
  require(object.is_object() && object.contains(field) && object[field].is_string(),
          "{}: no JSON object with a string `{}` (data.text_field names another one)", where, field);
  return std::move(object[field].get_ref<std::string&>());
}

void read_lines(const Path& path, const std::string& field, const PieceSink& sink, const ByteProgress& progress) {
  ByteSource source(path);
  std::string buffer;
  std::size_t number = 0, searched = 0;
  const auto take = [&](std::string_view line) {
    ++number;
    if (line.find_first_not_of(white) == std::string_view::npos) return;
    const std::string text = text_of_line(line, field, fmt::format("{}:{}", path.string(), number));
    if (!text.empty()) sink({text, true, true});
  };
  while (append(source, buffer, progress)) {
    std::size_t begin = 0;
    for (std::size_t end; (end = buffer.find('\n', std::max(begin, searched))) != std::string::npos; begin = end + 1)
      take(std::string_view(buffer).substr(begin, end - begin));
    buffer.erase(0, begin);
    searched = buffer.size();
    require(searched <= largest_line, "{}:{}: a line of more than {} MiB", path.string(), number + 1,
            largest_line >> 20);
  }
  if (!buffer.empty()) take(buffer);
}

/// Cuts what `strip` matches out of every piece; drops documents of which nothing to see is left.
PieceSink stripped(const std::string& strip, const PieceSink& sink) {
  if (strip.empty()) return sink;
  return [regex = std::make_shared<Regex>(strip, "data.strip"), out = std::string(), sink](const Piece& piece) mutable {
    remove_matches(*regex, piece.text, out);
    if (piece.first && piece.last && out.find_first_not_of(white) == std::string::npos) return;
    sink({out, piece.first, piece.last});
  };
}

}  // namespace

void read_documents(const Path& path, const DocumentRules& rules, const PieceSink& sink, const ByteProgress& progress) {
  const PieceSink inner = stripped(rules.strip, sink);
  if (without_gz(path).extension() == ".jsonl")
    read_lines(path, rules.text_field, inner, progress);
  else
    TextReader(path, rules.documents, inner, progress).read();
}

}  // namespace absorb
