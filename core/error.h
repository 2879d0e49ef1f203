// The two kinds of failure. A UserError is something its reader can mend (a typo in a file, a missing corpus): the
// command prints it as one line and exits with 2. Anything else that is thrown is a mistake of ours and exits with 1.
#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace absorb {

/// Text for one line of a terminal or a log, whatever names it holds: control characters, line breaks, characters that
/// change the direction of writing and bytes that are no UTF-8 are escaped (\n, \x1b, \u202e, \xff), and of more than
/// 2,000 bytes the middle is left out.
std::string one_line(std::string_view text);
/// Where the first byte lies that belongs to no character of UTF-8 (RFC 3629); npos where all do.
std::size_t first_bad_utf8(std::string_view text);

/// One line that says what is wrong, where, and what to do: `what` as one_line() has it.
class UserError : public std::runtime_error {
 public:
  explicit UserError(const std::string& what) : std::runtime_error(one_line(what)) {}
};

/// A broken invariant of our own code.
class InternalError : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

template <class... Args>
[[noreturn]] void user_error(fmt::format_string<Args...> format, Args&&... args) {
  throw UserError(fmt::format(format, std::forward<Args>(args)...));
}

/// Throws UserError unless `holds`: for everything that a study file, an argument or a data file can get wrong.
template <class... Args>
void require(bool holds, fmt::format_string<Args...> format, Args&&... args) {
  if (!holds) throw UserError(fmt::format(format, std::forward<Args>(args)...));
}

/// Throws InternalError unless `holds`: for what only our own mistake can break.
template <class... Args>
void check(bool holds, fmt::format_string<Args...> format, Args&&... args) {
  if (!holds) throw InternalError(fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace absorb
