#include "studies/plan/folder_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "core/error.h"

namespace absorb {
namespace {

constexpr std::size_t longest = 255;  // bytes that file systems take

bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

std::string escaped(const std::string& label, bool dots) {
  if (label.empty()) return "%";
  std::string out;
  for (const char c : label)
    if (is_plain(c) || (c == '.' && !dots))
      out += c;
    else
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  return out;
}

std::string joined(const CellName& cell, bool dots) {
  std::string out = cell.head;
  for (const std::string& label : cell.labels) out += '.' + escaped(label, dots);
  return out;
}

}  // namespace

std::vector<std::string> folder_names(const std::vector<CellName>& cells, const std::string& where) {
  std::map<std::string, std::set<CellName>> called;
  for (const CellName& cell : cells) called[joined(cell, false)].insert(cell);
  std::map<std::string, CellName> owners;
  std::vector<std::string> names;
  for (const CellName& cell : cells) {
    const std::string plain = joined(cell, false);
    names.push_back(called[plain].size() == 1 ? plain : joined(cell, true));
    require(names.back().size() <= longest,
            "{}: the folder of {} would have a name of {} bytes, and {} are the most: give the axes shorter `labels`",
            where, cell.head, names.back().size(), longest);
    const auto [owner, is_new] = owners.emplace(names.back(), cell);
    check(is_new || owner->second == cell, "two cells are called {}", names.back());
  }
  return names;
}

}  // namespace absorb
