#include "studies/report/text/diff.h"

#include "core/error.h"
#include "statistics/documents.h"
#include "studies/analysis/rows/document_pairs.h"
#include "studies/analysis/wording.h"
#include "studies/folder/differences.h"
#include "studies/report/text/table.h"
#include "studies/report/text/text_table.h"

namespace absorb {
namespace {

void require_done(const RunRecord& run) {
  require(run.state == "done", "{}: isn't done ({}): only a finished run has a loss to compare", run.folder.string(),
          run.state + (run.failure.empty() ? "" : ": " + run.failure));
}

Json settings_of(const RunRecord& run) {
  return read_record_json(run.folder / "settings.json");
}

std::string listed(const std::string& title, const std::vector<std::string>& lines) {
  std::string out = title + (lines.empty() ? ": nothing differs\n" : ", A -> B\n");
  for (const std::string& line : lines) out += wrapped(line, table_width, "  ", "    ");
  return out;
}

std::string over_documents(const RunRecord& a, const RunRecord& b) {
  const auto pair = document_differences(a, b);
  if (!pair) return "no interval: the runs were not evaluated on the same documents";
  const DocumentInterval interval = document_interval_of_pair(pair->nats, pair->tokens);
  if (!interval.ci95) return fmt::format("no interval over {} documents", interval.documents);
  return fmt::format("95 % interval over {} documents {} (of these two runs; other seeds differ again)",
                     interval.documents, bracketed(interval.ci95));
}

}  // namespace

std::vector<std::string> settings_differences(const RunRecord& a, const RunRecord& b) {
  return differences(settings_of(a), settings_of(b));
}

std::vector<std::string> provenance_differences(const RunRecord& a, const RunRecord& b) {
  const auto lasting = [](Json provenance) {
    for (const char* key : {"argv", "started", "finished", "seconds", "tokens", "peak_gpu_bytes", "runs_at_once"})
      provenance.erase(key);
    return provenance;
  };
  return differences(lasting(a.provenance), lasting(b.provenance));
}

std::string diff_runs(const RunRecord& a, const RunRecord& b) {
  require_done(a);
  require_done(b);
  return fmt::format("A  {}\nB  {}\n\n", a.folder.string(), b.folder.string()) +
         listed("SETTINGS", settings_differences(a, b)) + '\n' + listed("PROVENANCE", provenance_differences(a, b)) +
         fmt::format("\nLOSS on valid text, nats per token\n  A {}  B {}  B - A {}\n", number(a.val_loss),
                     number(b.val_loss), signed_number(b.val_loss - a.val_loss)) +
         wrapped(over_documents(a, b), table_width, "  ", "  ");
}

}  // namespace absorb
