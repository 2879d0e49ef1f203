// Compensation as `absorb compensate` and `absorb report` print it: plain ASCII within table_width columns.
#pragma once

#include <string>

#include "studies/analysis/compensation/results.h"

namespace absorb {

/// ATTRIBUTION with its verdict, CROSS-LAYER SHARE, SWAP COST AND DOSE, QUESTIONS (where some were asked), MEASURES
/// with their times, NOTES. Empty where nothing was measured and nothing has to be said.
std::string print_compensation(const CompensationResults& results);

/// One answer as a table, as `absorb graph DIR QUERY` prints it.
std::string print_query(const QueryResult& query);

}  // namespace absorb
