#include "studies/folder/reference.h"

#include <fmt/format.h>

#include "studies/folder/analysis_lock.h"
#include "studies/folder/records/bundle.h"
#include "studies/folder/records/cell.h"
#include "studies/folder/records/claim.h"
#include "studies/folder/records/deployment.h"
#include "studies/folder/records/files.h"
#include "studies/folder/records/made.h"
#include "studies/folder/records/plan.h"
#include "studies/folder/records/provenance.h"
#include "studies/folder/records/result.h"

namespace absorb {
namespace {

struct Documented {
  std::string file, about;
  std::vector<RecordFieldDoc> rows;
  bool shown = false;  // in results.json and the CSV files
};

template <class S>
Documented documented(std::string file, std::string about, bool shown = false) {
  S blank;
  return {std::move(file), std::move(about), document_record(detail::list_of(blank)), shown};
}

std::vector<Documented> records() {
  return {
      documented<PlanRecord>("plan.json", "The study's runs, as `absorb run` planned them; folders are relative."),
      documented<LockRecord>("analysis.lock", "What the study said beforehand that it would test."),
      documented<CellRecord>("<run>/cell.json", "Which run of its study this is."),
      documented<ProvenanceRecord>("<run>/run.json", "What ran, on what, built from what."),
      documented<ResultRecord>("<run>/result.json", "What training left. Losses are in nats per token.", true),
      documented<DeploymentRecord>("<run>/deployments/<key>.json", "The run's weights under another routing.", true),
      documented<FilesRecord>(
          "<run>/files.json",
          "Checksums of a finished run's files, held against them whenever the run is read, and by `absorb verify`."),
      documented<BundleRecord>("bundle.json", "What a packed study holds; its first entry, kept where it is unpacked."),
      documented<ClaimRecord>("<run>/claim.json", "Who works on the run now; gone when nobody does."),
      documented<MadeRecord>("<run>/compensation/made.json", "What each measure was made from."),
      documented<WeightsMetadata>("<run>/weights.safetensors",
                                  "Its metadata, as strings; the tensors have their names."),
  };
}

std::string published_as(const RecordFieldDoc& row) {
  const std::string own = row.key.substr(row.key.find_last_of('.') + 1);
  return row.published == own ? "same" : row.published.empty() ? "" : "`" + row.published + "`";
}

}  // namespace

std::string folder_page() {
  std::string out = fmt::format(
      "# A study's folder\n\nEvery record that absorb writes as JSON, written by `absorb list folder --markdown` from "
      "the lists that read and write it.\nEach file also holds `format`, a whole number: {} here. Files without one "
      "are "
      "of format 0 and are read; those of a later format are refused.\nA key in *italics* may be absent, where there "
      "is "
      "nothing to say. A fourth column is the field's name in results.json and the CSV files; an empty one is in "
      "neither.\nsettings.json and study.toml hold settings: [settings.md](settings.md). Where each file lies and when "
      "it is written: [architecture.md](architecture.md).\n\n",
      folder_format);
  for (const Documented& record : records()) {
    out += fmt::format("## `{}`\n\n{}\n\n| key | type | what it holds |{}\n|---|---|---|{}\n", record.file,
                       record.about, record.shown ? " in results |" : "", record.shown ? "---|" : "");
    for (const RecordFieldDoc& row : record.rows)
      out += fmt::format("| {} | {} | {} |{}\n", row.may_lack ? "*" + row.key + "*" : "`" + row.key + "`", row.type,
                         row.doc, record.shown ? " " + published_as(row) + " |" : "");
    out += '\n';
  }
  return out;
}

std::string folder_text() {
  std::string out = fmt::format("format {}\n\n", folder_format);
  for (const Documented& record : records()) {
    out += fmt::format("{}  {}\n", record.file, record.about);
    for (const RecordFieldDoc& row : record.rows)
      out += fmt::format("  {:<28}{:<18}{}{}\n", row.key, row.type, row.doc, row.may_lack ? " (may be absent)" : "");
    out += '\n';
  }
  return out;
}

}  // namespace absorb
