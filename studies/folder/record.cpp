#include "studies/folder/record.h"

#include <cmath>
#include <cstring>

#include <torch/types.h>

#include "core/error.h"
#include "core/numbers.h"
#include "core/safetensors.h"
#include "studies/folder/claim.h"
#include "studies/folder/paths.h"
#include "studies/folder/records/cell.h"
#include "studies/folder/records/files.h"
#include "studies/folder/records/provenance.h"
#include "training/metrics.h"

namespace absorb {
namespace {

// Of a line of metrics, which training/metrics.h has read: NaN where it has no such number.
double number(const Json& line, const std::string& key) {
  return line.contains(key) && line[key].is_number() ? line[key].get<double>() : nan;
}

AccountPoint account_from(const Json& line) {
  AccountPoint point;
  point.step = line.at("step");
  for (const auto& [key, value] : line.items())
    if ((key.find('/') != std::string::npos || key == "router_displacement") && value.is_number())
      point.values[key] = value;
  if (line.contains("zero_gradient"))
    for (const Json& part : line["zero_gradient"])
      if (part.is_string()) point.zero_gradient.push_back(part);
  return point;
}

void read_curve(RunRecord& record) {
  std::vector<CurvePoint>& curve = record.curve;
  double sum = 0;
  int64_t steps = 0, tokens = 0;
  for (const Json& line : read_metrics(record.folder / "metrics.jsonl")) {
    if (line.contains("val_loss")) {
      curve.push_back(
          {line.at("step"), tokens, steps > 0 ? sum / static_cast<double>(steps) : nan, number(line, "val_loss")});
      sum = 0;
      steps = 0;
    } else {
      sum += number(line, "loss");
      ++steps;
      if (const auto seen = line.find("n_tokens_seen"); seen != line.end() && seen->is_number_integer())
        tokens = seen->get<int64_t>();
      if (AccountPoint point = account_from(line); !point.values.empty()) record.accounts.push_back(std::move(point));
    }
  }
}

template <class V>
std::vector<V> column(const std::map<std::string, Tensor>& tensors, const char* name, at::ScalarType type,
                      const Path& file) {
  const auto found = tensors.find(name);
  require(found != tensors.end() && found->second.scalar_type() == type && found->second.dim() == 1,
          "{}: holds no column `{}`: the file is damaged, or not one that absorb wrote", file.string(), name);
  std::vector<V> out(static_cast<std::size_t>(found->second.numel()));
  std::memcpy(out.data(), found->second.const_data_ptr(), out.size() * sizeof(V));
  return out;
}

void read_documents(RunRecord& record) {
  const Path file = record.folder / "documents.safetensors";
  if (!std::filesystem::exists(file)) return;
  const auto tensors = read_safetensors(file);
  record.documents = column<int64_t>(tensors, "document", at::kLong, file);
  record.document_losses = column<double>(tensors, "loss_sum", at::kDouble, file);
  record.document_tokens = column<int64_t>(tensors, "tokens", at::kLong, file);
}

void read_deployments(RunRecord& record) {
  const Path folder = record.folder / "deployments";
  if (!std::filesystem::exists(folder)) return;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".json") continue;
    DeployedRecord found{absorb::read_record<DeploymentRecord>(entry.path()), {}};
    const Path documents = Path(entry.path()).replace_extension(".safetensors");
    const auto tensors = read_safetensors(documents);
    for (const char* loop : {"closed", "open"})
      if (tensors.contains(loop) && found.document_losses.empty())
        found.document_losses = column<double>(tensors, loop, at::kDouble, documents);
    record.evaluations[entry.path().stem().string()] = found.loss();
    record.deployments[entry.path().stem().string()] = std::move(found);
  }
}

// Target and seed stand in settings.json, which is no record: settings have a list of their own.
void read_place(RunRecord& record) {
  if (const Path file = record.folder / "settings.json"; std::filesystem::exists(file)) {
    const Json settings = read_record_json(file);
    const auto target = settings.find("target"), seed = settings.find("seed");
    require(target != settings.end() && target->is_string() && seed != settings.end() && seed->is_number_integer(),
            "{}: holds no `target` or no `seed`: the file is damaged, or not one that absorb wrote", file.string());
    record.target = *target;
    record.seed = *seed;
  }
  if (const Path file = record.folder / "cell.json"; std::filesystem::exists(file)) {
    const auto cell = absorb::read_record<CellRecord>(file);
    record.arm = cell.arm;
    record.cell = cell.cell;
  }
}

// Kept as it stands, for whoever lists all of it: what a later absorb adds is shown too.
void read_provenance(RunRecord& record) {
  record.provenance = Json::object();
  record.seconds = record.tokens_per_sec = nan;
  const Path file = record.folder / "run.json";
  if (!std::filesystem::exists(file)) return;
  record.provenance = read_record_json(file);
  ProvenanceRecord run;
  read_record_fields(record.provenance, file.string(), detail::list_of(run));
  record.provenance.erase("format");
  record.seconds = run.seconds;
  record.tokens_per_sec = run.tokens ? static_cast<double>(*run.tokens) / run.seconds : nan;
}

void without_result(RunRecord& record) {
  record.val_loss = record.test_loss = record.bits_per_byte = record.mass_top_k = record.mass_uniform =
      record.router_displacement = record.flops_per_token = nan;
}

// Results of deployments that the study no longer has, or has otherwise, are not shown.
void keep_current(RunRecord& record, const PlannedRun& run) {
  std::erase_if(record.deployments, [&](const auto& entry) {
    const bool current =
        std::any_of(run.deployments.begin(), run.deployments.end(), [&entry](const PlannedDeployment& planned) {
          return planned.key == entry.first && planned.identity == entry.second.identity;
        });
    if (!current) record.evaluations.erase(entry.first);
    return !current;
  });
}

// Whether a finished run is the one that is planned under its name. (Folders of format 0 say nothing of it.)
void require_of_plan(const RunRecord& record, const PlannedRun& run) {
  if (record.state != "done" || !std::filesystem::exists(record.folder / "files.json")) return;
  require(
      read_file(record.folder / "DONE") == run.identity + '\n',
      "{}: DONE is of another run than plan.json says: take the folder from a copy, or remove it and train it again",
      record.folder.string());
}

std::string state_of(const Path& folder) {
  if (is_done(folder)) return "done";
  if (std::filesystem::exists(folder / "FAILED")) return "failed";
  if (live_claim(folder)) return "running";
  return std::filesystem::exists(folder / "metrics.jsonl") ? "interrupted" : "waiting";
}

}  // namespace

RunRecord read_record(const Path& folder) {
  RunRecord record;
  record.folder = folder;
  record.state = state_of(folder);
  if (record.state == "failed") {
    record.failure = read_file(folder / "FAILED");
    record.failure.erase(record.failure.find_last_not_of('\n') + 1);
  }
  if (record.state == "done") require_intact(folder, Intact::records);
  read_place(record);
  if (record.state == "done")
    static_cast<ResultRecord&>(record) = absorb::read_record<ResultRecord>(folder / "result.json");
  else
    without_result(record);
  read_provenance(record);
  read_curve(record);
  if (record.state != "done") return record;
  read_documents(record);
  read_deployments(record);
  return record;
}

RunRecord waiting_record(const PlannedRun& run) {
  RunRecord record;
  record.arm = run.arm;
  record.target = run.target;
  record.cell = run.cell;
  record.seed = run.seed;
  record.state = "waiting";
  return record;
}

std::vector<RunRecord> read_records(const Path& study, const PlanRecord& plan) {
  std::vector<RunRecord> records;
  for (const PlannedRun& run : plan.runs) {
    records.push_back(read_record(study / run.folder));
    RunRecord& record = records.back();
    require_of_plan(record, run);
    record.arm = run.arm;
    record.target = run.target;
    record.seed = run.seed;
    record.cell = run.cell;
    keep_current(record, run);
  }
  return records;
}

}  // namespace absorb
