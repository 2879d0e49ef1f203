// The two kinds of failure. A UserError is something its reader can mend (a typo in a file, a missing corpus): the
// command prints it as one line and exits with 2. Anything else that is thrown is a mistake of ours and exits with 1.
#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace absorb {

/// One line that says what is wrong, where, and what to do.
class UserError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
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
