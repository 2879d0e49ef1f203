// Every record of a run's folder: the first byte says which, the rest is the file.
#include <nlohmann/json.hpp>

#include "studies/folder/analysis_lock.h"
#include "studies/folder/record.h"
#include "studies/folder/records/bundle.h"
#include "studies/folder/records/cell.h"
#include "studies/folder/records/claim.h"
#include "studies/folder/records/files.h"
#include "studies/folder/records/made.h"
#include "studies/folder/records/provenance.h"
#include "tests/fuzz/fuzz.h"
#include "training/checkpoint.h"
#include "training/metrics.h"

using namespace absorb;

namespace {

// What is read, written and read again says the same.
template <class R>
void round_trip(const std::string& text) {
  const auto read = [](const std::string& from) {
    R record;
    read_record_fields(parse_record(from, "input"), "input", absorb::detail::list_of(record));
    return record;
  };
  const std::string once = record_text(read(text));
  if (record_text(read(once)) != once) std::abort();
}

void run_folder(const std::string& name, std::string_view bytes) {
  const Path run = fuzz::folder() / "run";
  std::filesystem::remove_all(run);
  std::filesystem::create_directories(run / "checkpoints/step-00000001");
  fuzz::written("run/" + name, bytes);
  if (name == "result.json") fuzz::written("run/DONE", "x\n");
  read_record(run);
  whole_steps(run / "metrics.jsonl");
  read_checkpoint(
      run, [](const std::string&) {}, 100);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string text(fuzz::text_of(data + 1, size - 1));
  fuzz::expect_answer([&] {
    switch (data[0] % 16) {
      case 0:
        return round_trip<ResultRecord>(text);
      case 1:
        return round_trip<DeploymentRecord>(text);
      case 2:
        return round_trip<PlanRecord>(text);
      case 3:
        return round_trip<BundleRecord>(text);
      case 4:
        return round_trip<CellRecord>(text);
      case 5:
        return round_trip<ClaimRecord>(text);
      case 6:
        return round_trip<FilesRecord>(text);
      case 7:
        return round_trip<MadeRecord>(text);
      case 8:
        return round_trip<ProvenanceRecord>(text);
      case 9:
        return round_trip<LockRecord>(text);
      case 10:
        return run_folder("metrics.jsonl", text);
      case 11:
        return run_folder("settings.json", text);
      case 12:
        return run_folder("result.json", text);
      case 13:
        return run_folder("run.json", text);
      case 14:
        return run_folder("checkpoints/step-00000001/checkpoint.json", text);
      default:
        return run_folder("documents.safetensors", text);
    }
  });
  return 0;
}
