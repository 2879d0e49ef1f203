#include "core/error.h"

#include <cstdint>

namespace absorb {
namespace {

constexpr std::size_t longest = 2000, head = 1300, tail = 500;

struct Character {
  char32_t code = 0;
  std::size_t bytes = 0;  // 0: no UTF-8
};

bool continues(char c) {
  return (static_cast<unsigned char>(c) & 0xC0) == 0x80;
}

// The first character of a text that isn't empty, as RFC 3629 has it: shortest form, no surrogates.
Character first(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  if (lead < 0x80) return {lead, 1};
  const std::size_t bytes = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < bytes) return {};
  char32_t code = lead & (0xFFU >> (bytes + 1));
  for (std::size_t i = 1; i < bytes; ++i) {
    if (!continues(text[i])) return {};
    code = code << 6 | (static_cast<unsigned char>(text[i]) & 0x3FU);
  }
  constexpr char32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
  if (code < least[bytes] || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) return {};
  return {code, bytes};
}

// C0 and C1 controls, line and paragraph separators, and what turns the direction of writing.
bool is_unsafe(char32_t c) {
  return c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0x2028 || c == 0x2029 || (c >= 0x202A && c <= 0x202E) ||
         (c >= 0x2066 && c <= 0x2069) || c == 0xFEFF;
}

std::string escaped(char32_t c) {
  if (c == '\n') return "\\n";
  if (c == '\r') return "\\r";
  if (c == '\t') return "\\t";
  return c < 0x100 ? fmt::format("\\x{:02x}", static_cast<uint32_t>(c))
                   : fmt::format("\\u{:04x}", static_cast<uint32_t>(c));
}

std::string escaped_text(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const Character c = first(text);
    const std::size_t bytes = c.bytes == 0 ? 1 : c.bytes;
    if (c.bytes == 0)
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(text[0]));
    else
      out += is_unsafe(c.code) ? escaped(c.code) : std::string(text.substr(0, bytes));
    text.remove_prefix(bytes);
  }
  return out;
}

}  // namespace

std::size_t first_bad_utf8(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t bytes = first(text.substr(at, 4)).bytes;
    if (bytes == 0) return at;
    at += bytes;
  }
  return std::string_view::npos;
}

std::string one_line(std::string_view text) {
  if (text.size() > longest) {
    std::size_t begin = head, end = text.size() - tail;
    while (begin > 0 && continues(text[begin])) --begin;
    while (end < text.size() && continues(text[end])) ++end;
    return escaped_text(text.substr(0, begin)) + fmt::format(" ... ({} bytes left out) ... ", end - begin) +
           escaped_text(text.substr(end));
  }
  return escaped_text(text);
}

}  // namespace absorb
