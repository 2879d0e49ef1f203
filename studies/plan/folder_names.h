// What the runs of a cell are called on disk. Two cells never share a folder: the second would count as trained and
// report the first's loss.
#pragma once

#include <string>
#include <vector>

#include "core/files.h"

namespace absorb {

/// What a folder is named after: "learned.attention", and what each axis calls the cell, in the order of the axes.
struct CellName {
  std::string head;
  std::vector<std::string> labels;
  auto operator<=>(const CellName&) const = default;
};

/// The folder of each cell, the head and the labels with dots between: "learned.attention.4.0.5". Bytes of a label that
/// are no ASCII letter, digit, '-', '_' or '.' stand as %XX, an empty label as %, and the dots of labels as %2E where
/// they could be mistaken for the dots between. Different cells get different folders, as long as a head can be told
/// from its labels; on a file system that takes A for a, labels have to differ in more than case. `where` begins the
/// UserError for a name longer than a file system takes.
std::vector<std::string> folder_names(const std::vector<CellName>& cells, const std::string& where);

}  // namespace absorb
