#include "core/text/toml.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/error.h"

namespace absorb {
namespace {

using Json = nlohmann::json;

constexpr std::size_t line_length = 120;

bool is_control(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

std::string escaped(char c) {
  switch (c) {
    case '"':
      return "\\\"";
    case '\\':
      return "\\\\";
    case '\b':
      return "\\b";
    case '\t':
      return "\\t";
    case '\n':
      return "\\n";
    case '\f':
      return "\\f";
    case '\r':
      return "\\r";
    default:
      return is_control(c) ? fmt::format("\\u{:04X}", static_cast<unsigned>(c)) : std::string(1, c);
  }
}

std::string quoted(const std::string& text) {
  const bool literal = std::none_of(text.begin(), text.end(), [](char c) { return c == '\'' || is_control(c); });
  if (literal) return '\'' + text + '\'';
  std::string out = "\"";
  for (const char c : text) out += escaped(c);
  return out + '"';
}

std::string written(double number) {
  if (std::isnan(number)) return "nan";
  if (std::isinf(number)) return number < 0 ? "-inf" : "inf";
  const std::string text = fmt::format("{}", number);
  return text.find_first_of(".e") == std::string::npos ? text + ".0" : text;  // else it would be read as a whole number
}

std::string written_key(const std::string& key) {
  const bool bare = !key.empty() && std::all_of(key.begin(), key.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
  return bare ? key : quoted(key);
}

std::string written(const Json& value);

std::string inline_table(const Json& table) {
  std::string items;
  for (const auto& [key, value] : table.items())
    if (!value.is_null()) items += (items.empty() ? " " : ", ") + written_key(key) + " = " + written(value);
  return items.empty() ? "{}" : '{' + items + " }";
}

std::string inline_array(const Json& array) {
  std::string line, lines;
  for (const Json& item : array) {
    const std::string text = written(item);
    line += (line.empty() ? " " : ", ") + text;
    lines += (lines.empty() ? "\n" : ",\n") + text;
  }
  if (line.empty()) return "[]";
  return line.size() < line_length ? '[' + line + " ]" : '[' + lines + "\n]";
}

// A value that stands on the right of an equals sign. A table there has to stay on its line, so none of its arrays may
// be long: a line break within an array is legal even there.
std::string written(const Json& value) {
  if (value.is_object()) return inline_table(value);
  if (value.is_array()) return inline_array(value);
  if (value.is_string()) return quoted(value.get_ref<const std::string&>());
  if (value.is_boolean()) return value.get<bool>() ? "true" : "false";
  if (value.is_number_float()) return written(value.get<double>());
  check(value.is_number_integer(), "TOML has no {}", value.type_name());
  check(!value.is_number_unsigned() ||
            value.get<uint64_t>() <= static_cast<uint64_t>(std::numeric_limits<int64_t>::max()),
        "TOML has no number as large as {}", value.dump());
  return value.dump();
}

bool is_array_of_tables(const Json& value) {
  return value.is_array() && !value.empty() &&
         std::all_of(value.begin(), value.end(), [](const Json& item) { return item.is_object(); });
}

bool is_line(const Json& value) {
  return !value.is_null() && !value.is_object() && !is_array_of_tables(value);
}

class TomlText {
 public:
  std::string text;

  // First what is a line, since whatever follows a header belongs to it.
  void body(const Json& table, const std::string& path) {
    for (const auto& [key, value] : table.items())
      if (is_line(value)) text += written_key(key) + " = " + written(value) + '\n';
    for (const auto& [key, value] : table.items()) {
      const std::string name = path + (path.empty() ? "" : ".") + written_key(key);
      if (value.is_object()) {
        if (needs_header(value)) header('[' + name + ']');
        body(value, name);
      } else if (is_array_of_tables(value)) {
        for (const Json& item : value) {
          header("[[" + name + "]]");
          body(item, name);
        }
      }
    }
  }

 private:
  // The headers of the tables within say that this one exists.
  static bool needs_header(const Json& table) {
    bool holds_tables = false;
    for (const auto& [key, value] : table.items()) {
      if (is_line(value)) return true;
      holds_tables = holds_tables || !value.is_null();
    }
    return !holds_tables;
  }
  void header(const std::string& line) { text += (text.empty() ? "" : "\n") + line + '\n'; }
};

}  // namespace

std::string to_toml(const Json& table) {
  TomlText out;
  out.body(table, "");
  return std::move(out.text);
}

}  // namespace absorb
