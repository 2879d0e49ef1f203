#define PCRE2_CODE_UNIT_WIDTH 8
#include "training/data/text/regex.h"

#include <pcre2.h>

#include <algorithm>
#include <cstdint>
#include <utility>

#include "core/error.h"

namespace absorb {
namespace {

std::string message(int code) {
  PCRE2_UCHAR buffer[256];
  pcre2_get_error_message(code, buffer, sizeof buffer);
  return reinterpret_cast<const char*>(buffer);
}

PCRE2_SPTR units(std::string_view text) {
  return reinterpret_cast<PCRE2_SPTR>(text.data());
}

uint32_t fact(const pcre2_code* code, uint32_t what) {
  uint32_t value = 0;
  pcre2_pattern_info(code, what, &value);
  return value;
}

}  // namespace

struct Regex::Code {
  pcre2_code* code = nullptr;
  pcre2_match_data* data = nullptr;
  uint32_t unchecked = 0;  // what find() tells PCRE2 not to check anew at every match
  ~Code() {
    pcre2_match_data_free(data);
    pcre2_code_free(code);
  }
};

Regex::Regex(const std::string& pattern, std::string what, Text text)
    : code_(std::make_unique<Code>()), what_(std::move(what)) {
  const bool utf8 = text == Text::utf8;
  code_->unchecked = utf8 ? PCRE2_NO_UTF_CHECK : 0u;
  int error = 0;
  PCRE2_SIZE position = 0;
  code_->code = pcre2_compile(units(pattern), pattern.size(), PCRE2_MULTILINE | (utf8 ? PCRE2_UTF : 0u), &error,
                              &position, nullptr);
  require(code_->code != nullptr, "{} = '{}' is no regular expression: {} at character {}", what_, pattern,
          message(error), position + 1);
  // Where there is no just-in-time compiler the interpreter is used: slower, the same matches.
  pcre2_jit_compile(code_->code, PCRE2_JIT_COMPLETE | PCRE2_JIT_PARTIAL_HARD);
  code_->data = pcre2_match_data_create_from_pattern(code_->code, nullptr);
  check(code_->data != nullptr, "no memory for a regular expression");
}

Regex::~Regex() = default;
Regex::Regex(Regex&&) noexcept = default;

Regex::Found Regex::find(std::string_view text, std::size_t from, bool more, Match& match) const {
  const uint32_t options = code_->unchecked | (more ? PCRE2_PARTIAL_HARD : 0u);
  const int count = pcre2_match(code_->code, units(text), text.size(), from, options, code_->data, nullptr);
  if (count == PCRE2_ERROR_NOMATCH) return Found::no;
  require(count >= 0 || count == PCRE2_ERROR_PARTIAL, "{}: the regular expression gives up on this text: {}", what_,
          message(count));
  const PCRE2_SIZE* ends = pcre2_get_ovector_pointer(code_->data);
  match = {ends[0], std::max(ends[0], ends[1]), {}};
  if (count == PCRE2_ERROR_PARTIAL) return Found::partly;
  if (count > 1 && ends[2] != PCRE2_UNSET) match.group = text.substr(ends[2], ends[3] - ends[2]);
  return Found::yes;
}

std::size_t Regex::well_formed(std::string_view text) const {
  const int count = pcre2_match(code_->code, units(text), text.size(), 0, PCRE2_ANCHORED, code_->data, nullptr);
  const bool broken = count <= PCRE2_ERROR_UTF8_ERR1 && count >= PCRE2_ERROR_UTF8_ERR21;
  return broken ? pcre2_get_startchar(code_->data) : text.size();
}

std::size_t Regex::lookbehind() const {
  return std::max(1u, fact(code_->code, PCRE2_INFO_MAXLOOKBEHIND));
}

bool Regex::has_group() const {
  return fact(code_->code, PCRE2_INFO_CAPTURECOUNT) > 0;
}

void remove_matches(const Regex& regex, std::string_view text, std::string& out) {
  out.clear();
  std::size_t kept = 0, from = 0;
  for (Regex::Match match; from <= text.size() && regex.find(text, from, false, match) == Regex::Found::yes;) {
    if (match.begin > kept) out.append(text.substr(kept, match.begin - kept));
    kept = std::max(kept, match.end);
    from = std::max(from + 1, match.end);
  }
  out.append(text.substr(kept));
}

}  // namespace absorb
