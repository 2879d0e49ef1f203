// Two runs document by document: what an interval over documents is made of.
#pragma once

#include <optional>
#include <vector>

#include "studies/folder/record.h"

namespace absorb {

/// One entry a document that has tokens.
struct DocumentDifferences {
  std::vector<double> nats;  // per token: loss(after) - loss(before)
  std::vector<double> tokens;
};

/// Whether both runs were evaluated on the same documents, and have their losses.
bool same_documents(const RunRecord& a, const RunRecord& b);
/// Absent where they were not.
std::optional<DocumentDifferences> document_differences(const RunRecord& before, const RunRecord& after);

}  // namespace absorb
