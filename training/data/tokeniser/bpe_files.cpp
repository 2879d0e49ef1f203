#include "training/data/tokeniser/bpe_files.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <unordered_map>

#include "core/error.h"
#include "core/text/json.h"

namespace absorb {
namespace {

constexpr std::string_view version = "#version: 0.2\n";
constexpr unsigned moved = 0x100;  // characters of the bytes that aren't printable themselves, in their order

bool is_printable(unsigned byte) {
  return (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
}

/// The character of each byte.
std::array<unsigned, 256> characters() {
  std::array<unsigned, 256> map{};
  unsigned next = moved;
  for (unsigned byte = 0; byte < map.size(); ++byte) map[byte] = is_printable(byte) ? byte : next++;
  return map;
}

nlohmann::json read_encoder(const Path& path) {
  auto encoder = parse_json(read_file(path));
  require(encoder.is_object() && !encoder.empty(), "{}: no JSON object of tokens and their ids", path.string());
  return encoder;
}

/// The bytes of each id.
std::vector<std::string> read_tokens(const Path& path) {
  const nlohmann::json encoder = read_encoder(path);
  std::vector<std::string> tokens(encoder.size());
  std::vector<bool> taken(encoder.size());
  for (const auto& [text, value] : encoder.items()) {
    require(value.is_number_unsigned() && value.get<uint64_t>() < tokens.size() && !taken[value.get<std::size_t>()],
            "{}: the ids of {} tokens must be 0 to {}, each once, but \"{}\" has {}", path.string(), tokens.size(),
            tokens.size() - 1, text, value.dump());
    auto bytes = from_printable(text);
    require(bytes.has_value(), "{}: \"{}\" is not written in GPT-2's characters for bytes", path.string(), text);
    taken[value.get<std::size_t>()] = true;
    tokens[value.get<std::size_t>()] = std::move(*bytes);
  }
  return tokens;
}

using Ids = std::unordered_map<std::string_view, uint32_t>;

std::vector<std::pair<uint32_t, uint32_t>> read_merges(const Path& path, std::string_view text, const Ids& ids) {
  std::vector<std::pair<uint32_t, uint32_t>> merges;
  int64_t number = 0;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    ++number;
    if (line.empty() || (number == 1 && line.starts_with("#version"))) continue;
    const std::size_t gap = line.find(' ');
    require(gap != std::string_view::npos && line.find(' ', gap + 1) == std::string_view::npos,
            "{}:{}: a merge is two tokens with a space between", path.string(), number);
    const auto left = from_printable(line.substr(0, gap)), right = from_printable(line.substr(gap + 1));
    const bool known = left && right && ids.contains(*left) && ids.contains(*right) && ids.contains(*left + *right) &&
                       *left + *right != end_of_text;
    require(known, "{}:{}: merges tokens that {} doesn't hold", path.string(), number, encoder_file);
    merges.emplace_back(ids.at(*left), ids.at(*right));
  }
  return merges;
}

}  // namespace

std::array<unsigned char, 256> byte_order() {
  std::array<unsigned char, 256> order{};
  std::size_t next = 0;
  for (const bool printable : {true, false})
    for (unsigned byte = 0; byte < order.size(); ++byte)
      if (is_printable(byte) == printable) order[next++] = static_cast<unsigned char>(byte);
  return order;
}

std::string to_printable(std::string_view bytes) {
  static const auto map = characters();
  std::string text;
  for (const char byte : bytes) {
    const unsigned character = map[static_cast<unsigned char>(byte)];
    if (character >= 0x80) text += static_cast<char>(0xc0 | character >> 6);
    text += static_cast<char>(character < 0x80 ? character : 0x80 | (character & 0x3f));
  }
  return text;
}

std::optional<std::string> from_printable(std::string_view text) {
  static const auto inverse = [] {
    std::unordered_map<unsigned, char> map;
    for (unsigned byte = 0; byte < 256; ++byte) map[characters()[byte]] = static_cast<char>(byte);
    return map;
  }();
  std::string bytes;
  for (std::size_t at = 0; at < text.size(); ++at) {
    unsigned character = static_cast<unsigned char>(text[at]);
    if (character >= 0x80) {  // all that are in use take two bytes of UTF-8
      if (at + 1 == text.size()) return std::nullopt;
      character = (character & 0x1f) << 6 | (static_cast<unsigned char>(text[++at]) & 0x3f);
    }
    const auto found = inverse.find(character);
    if (found == inverse.end()) return std::nullopt;
    bytes += found->second;
  }
  return bytes;
}

BpeModel read_bpe(const Path& folder) {
  const Path encoder = folder / encoder_file, merges = folder / merges_file;
  BpeModel model;
  model.tokens = read_tokens(encoder);
  Ids ids;
  for (uint32_t id = 0; id < model.tokens.size(); ++id) ids.emplace(model.tokens[id], id);
  for (const unsigned char byte : byte_order())
    require(ids.contains({reinterpret_cast<const char*>(&byte), 1}), "{}: has no id for byte {}", encoder.string(),
            byte);
  require(ids.contains(end_of_text), "{}: has no id for {}", encoder.string(), end_of_text);
  model.end_of_document = ids.at(end_of_text);
  const std::string text = read_file(merges);
  model.merges = read_merges(merges, text, ids);
  model.name = fmt::format("byte pair encoding, {} ids, {}", model.tokens.size(), hash_hex(text));
  return model;
}

void write_bpe(const BpeModel& model, const Path& folder) {
  nlohmann::ordered_json encoder = nlohmann::ordered_json::object();
  for (uint32_t id = 0; id < model.tokens.size(); ++id) encoder.push_back({to_printable(model.tokens[id]), id});
  std::string merges(version);
  for (const auto& [left, right] : model.merges)
    merges += fmt::format("{} {}\n", to_printable(model.tokens[left]), to_printable(model.tokens[right]));
  write_file(folder / encoder_file, encoder.dump());
  write_file(folder / merges_file, merges);
}

int64_t bpe_vocabulary(const Path& folder) {
  return static_cast<int64_t>(read_encoder(folder / encoder_file).size());
}

}  // namespace absorb
