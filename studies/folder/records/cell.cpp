#include "studies/folder/records/cell.h"

namespace absorb {

void fields(RecordFields& list, CellRecord& cell) {
  list.field("arm", cell.arm, "Name of the arm.");
  list.field("cell", cell.cell, "Value of each axis, by its key.");
  list.field("identity", cell.identity, "Hash of the resolved settings, less what can't change a weight.");
}

void fields(RecordFields& list, WeightsMetadata& weights) {
  list.field("arm", weights.arm, "Name of the arm.");
  list.field("target", weights.target, "dense, attention, moe or both.");
  list.field("identity", weights.identity, "Of the run.");
}

}  // namespace absorb
