#include "studies/analysis/rows/document_pairs.h"

namespace absorb {

bool same_documents(const RunRecord& a, const RunRecord& b) {
  const size_t documents = a.documents.size();
  return documents > 0 && a.documents == b.documents && a.document_tokens == b.document_tokens &&
         a.document_tokens.size() == documents && a.document_losses.size() == documents &&
         b.document_losses.size() == documents;
}

std::optional<DocumentDifferences> document_differences(const RunRecord& before, const RunRecord& after) {
  if (!same_documents(before, after)) return std::nullopt;
  DocumentDifferences result;
  for (size_t i = 0; i < before.documents.size(); ++i) {
    const auto tokens = static_cast<double>(before.document_tokens[i]);
    if (!(tokens > 0)) continue;
    result.nats.push_back((after.document_losses[i] - before.document_losses[i]) / tokens);
    result.tokens.push_back(tokens);
  }
  return result;
}

}  // namespace absorb
