#include "core/text/json.h"

#include "core/error.h"
#include "core/files.h"

namespace absorb {

nlohmann::json parse_json(std::string_view text) {
  bool too_deep = false;
  const auto watch = [&too_deep](int depth, nlohmann::json::parse_event_t, nlohmann::json&) {
    too_deep = too_deep || depth > deepest_json;
    return !too_deep;
  };
  nlohmann::json json = nlohmann::json::parse(text, watch, false);
  return too_deep ? nlohmann::json(nlohmann::json::value_t::discarded) : json;
}

int64_t whole_number(const nlohmann::json& value) {
  constexpr auto most = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
  if (!value.is_number_integer() || (value.is_number_unsigned() && value.get<uint64_t>() > most))
    throw NotWhole(fmt::format("a whole number is needed but {} found",
                               value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)));
  return value.get<int64_t>();
}

namespace {
constexpr const char* seal = "checksum";
}

std::string sealed(const nlohmann::json& object, int indent) {
  // As it will be read: replaced bytes, and NaN as null.
  nlohmann::json content = nlohmann::json::parse(object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  content[seal] = hash_hex(content.dump());
  return content.dump(indent) + '\n';
}

bool unseal(nlohmann::json& object) {
  const auto found = object.find(seal);
  if (found == object.end()) return true;
  const nlohmann::json stated = *found;
  object.erase(found);
  return stated.is_string() &&
         stated == hash_hex(object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

void refuse_damaged(const std::string& name, const std::string& what) {
  // "[json.exception.out_of_range.403] key 'seed' not found": the number is nlohmann's own affair.
  const std::size_t end = what.starts_with("[json.exception") ? what.find("] ") : std::string::npos;
  user_error("{} is damaged, or not one that absorb wrote: {}", name,
             end == std::string::npos ? what : what.substr(end + 2));
}

}  // namespace absorb
