// JSON that somebody else wrote: read without an exception, and not so deep that its destructor or a walk over it
// overflows the stack.
#pragma once

#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "core/error.h"

namespace absorb {

/// Deepest nesting of arrays and objects that is read; no file of absorb's, or of a tokeniser's, comes near it.
inline constexpr int deepest_json = 64;

/// Discarded (is_discarded()) where the text is no JSON or is nested deeper.
nlohmann::json parse_json(std::string_view text);

/// What whole_number() refuses; read_guarded() adds where it stands.
class NotWhole : public UserError {
 public:
  using UserError::UserError;
};
/// A whole number; NotWhole where it is anything else. (nlohmann's own conversion takes 1e300, which no integer is.)
int64_t whole_number(const nlohmann::json& value);

/// An object as the text of a file, with a checksum of its content as one more key. (Bytes that are no UTF-8 are
/// replaced.)
std::string sealed(const nlohmann::json& object, int indent);
/// Takes the checksum out again. False where the content is another than it was written with; true where there is none.
bool unseal(nlohmann::json& object);

/// Calls `read`, which takes apart what parse_json gave; a key that is missing or of another type, or a number that
/// doesn't fit, is a UserError: "`name` is damaged, or not one that absorb wrote: " and what is wrong.
template <class Read>
auto read_guarded(const std::string& name, const Read& read) -> decltype(read());

[[noreturn]] void refuse_damaged(const std::string& name, const std::string& what);

template <class Read>
auto read_guarded(const std::string& name, const Read& read) -> decltype(read()) {
  try {
    return read();
  } catch (const nlohmann::json::exception& error) {
    refuse_damaged(name, error.what());
  } catch (const NotWhole& error) {
    refuse_damaged(name, error.what());
  }
}

}  // namespace absorb
