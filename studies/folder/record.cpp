#include "studies/folder/record.h"

#include <cmath>
#include <cstring>
#include <limits>

#include <torch/types.h>

#include "core/error.h"
#include "core/safetensors.h"
#include "studies/folder/claim.h"
#include "training/metrics.h"

namespace absorb {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

Json read_json(const Path& file) {
  if (!std::filesystem::exists(file)) return Json::object();
  Json json = Json::parse(read_file(file), nullptr, false);
  require(json.is_object(), "{}: is no JSON", file.string());
  return json;
}

double number(const Json& json, const std::string& key) {
  return json.contains(key) && json[key].is_number() ? json[key].get<double>() : nan;
}

SiteHealth health_from(const Json& j) {
  return {j.at("site"),         number(j, "load_imbalance"), number(j, "entropy"),    number(j, "dead_choices"),
          number(j, "density"), number(j, "margin"),         number(j, "saturation"), number(j, "score_mean"),
          number(j, "score_sd")};
}

AccountPoint account_from(const Json& line) {
  AccountPoint point;
  point.step = line.at("step");
  for (const auto& [key, value] : line.items())
    if ((key.find('/') != std::string::npos || key == "router_displacement") && value.is_number())
      point.values[key] = value;
  if (line.contains("zero_gradient"))
    for (const Json& part : line["zero_gradient"]) point.zero_gradient.push_back(part);
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
      tokens = line.at("n_tokens_seen");
      if (AccountPoint point = account_from(line); !point.values.empty()) record.accounts.push_back(std::move(point));
    }
  }
}

DeploymentRecord deployment_from(const Path& file) {
  const Json json = read_json(file);
  DeploymentRecord out;
  out.deployment = json.value("deployment", file.stem().string());
  out.closed = number(json, "closed");
  out.open = number(json, "open");
  out.compounding = number(json, "compounding");
  if (json.contains("hardening"))
    for (const Json& loss : json["hardening"]) out.hardening.push_back(loss.is_number() ? loss.get<double>() : nan);
  const Json agreement = json.value("agreement", Json::object());
  for (const auto& [kind, a] : agreement.items())
    out.agreement[kind] = {number(a, "f1"), number(a, "jaccard"), number(a, "retained_mass"), number(a, "oracle_mass"),
                           number(a, "density")};
  const Json correlations = json.value("gain_correlation", Json::object());
  for (const auto& [site, value] : correlations.items()) out.gain_correlation[site] = number(correlations, site);
  return out;
}

void read_result(RunRecord& record, const Json& result) {
  record.val_loss = number(result, "val_loss");
  record.test_loss = number(result, "test_loss");
  record.bits_per_byte = number(result, "bits_per_byte");
  record.mass_top_k = number(result, "mass_top_k");
  record.mass_uniform = number(result, "mass_uniform");
  record.router_displacement = number(result, "router_displacement");
  record.flops_per_token = number(result, "flops_per_token");
  if (result.empty()) return;
  record.top_k = result.at("top_k");
  for (const auto& [name, loss] : result.at("evaluations").items())
    record.evaluations[name] = number(result["evaluations"], name);
  for (const Json& site : result.at("health")) record.health.push_back(health_from(site));
  const Json& p = result.at("parameters");
  record.parameters = {p.at("unique"), p.at("untied"), p.at("non_embedding"),
                       p.at("module"), p.at("router"), p.at("trained")};
}

template <class V>
std::vector<V> values_of(const Tensor& tensor) {
  std::vector<V> out(static_cast<std::size_t>(tensor.numel()));
  std::memcpy(out.data(), tensor.const_data_ptr(), out.size() * sizeof(V));
  return out;
}

void read_documents(RunRecord& record) {
  if (!std::filesystem::exists(record.folder / "documents.safetensors")) return;
  const auto tensors = read_safetensors(record.folder / "documents.safetensors");
  record.documents = values_of<int64_t>(tensors.at("document"));
  record.document_losses = values_of<double>(tensors.at("loss_sum"));
  record.document_tokens = values_of<int64_t>(tensors.at("tokens"));
}

void read_deployments(RunRecord& record) {
  const Path folder = record.folder / "deployments";
  if (!std::filesystem::exists(folder)) return;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".json") continue;
    DeploymentRecord found = deployment_from(entry.path());
    const auto documents = read_safetensors(Path(entry.path()).replace_extension(".safetensors"));
    for (const char* loop : {"closed", "open"})
      if (documents.contains(loop) && found.document_losses.empty())
        found.document_losses = values_of<double>(documents.at(loop));
    record.evaluations[entry.path().stem().string()] = found.loss();
    record.deployments[entry.path().stem().string()] = std::move(found);
  }
}

std::string state_of(const Path& folder) {
  if (std::filesystem::exists(folder / "DONE")) return "done";
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
  const Json settings = read_json(folder / "settings.json"), cell = read_json(folder / "cell.json");
  record.target = settings.value("target", "");
  record.seed = settings.value("seed", int64_t{0});
  record.arm = cell.value("arm", "");
  if (cell.contains("cell"))
    for (const auto& [key, value] : cell["cell"].items()) record.cell[key] = value;
  read_result(record, record.state == "done" ? read_json(folder / "result.json") : Json::object());
  record.provenance = read_json(folder / "run.json");
  record.seconds = number(record.provenance, "seconds");
  record.tokens_per_sec = number(record.provenance, "tokens") / record.seconds;
  read_curve(record);
  if (record.state != "done") return record;
  read_documents(record);
  read_deployments(record);
  return record;
}

double DeploymentRecord::loss() const {
  return std::isfinite(closed) ? closed : open;
}

}  // namespace absorb
