// Which cell of a grid each arm takes ([tune]; docs/science.md section 6).
#pragma once

#include <string>
#include <vector>

#include "studies/folder/record.h"
#include "studies/study/study.h"

namespace absorb {

/// Of the finished grid of `study` (the records of its tuning study): for every arm, target and cell the values with
/// the lowest mean valid loss over the tuning seeds; of equals the first. UserError where a run of the grid isn't done,
/// and where no value of a cell trained without failing.
std::vector<TunedSpec> best_of_grid(const Study& study, const std::vector<RunRecord>& grid);
/// "learned, attention: 0.003 (nearest other 0.001, +0.0123 nats)": what was chosen and how flat the grid is there.
std::vector<std::string> tuning_sentences(const Study& study);

}  // namespace absorb
