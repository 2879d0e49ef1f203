#include "studies/run/deployment.h"

#include <torch/types.h>

#include <cstring>
#include <optional>

#include "core/device.h"
#include "core/error.h"
#include "core/safetensors.h"
#include "studies/folder/paths.h"
#include "studies/folder/records/files.h"
#include "studies/run/agreement.h"
#include "studies/run/evaluation.h"
#include "studies/run/information.h"
#include "studies/run/provenance.h"
#include "training/checkpoint.h"
#include "transformer/gains.h"

namespace absorb {
namespace {

namespace fs = std::filesystem;

constexpr int64_t observed_batches = 4;  // passes that agreement is taken from
constexpr int64_t checked_swaps = 512;   // exact single-token swaps that expected gains are held against

Path result_file(const RunSpec& run, const DeploymentTask& task) {
  return run.folder / "deployments" / (task.key + ".json");
}

// Weights by name into a run that may have another router; what the file lacks must not be a router's.
void load_by_name(const LiveRun& run, const Path& file, const std::string& deployment) {
  require_weights(file.parent_path(), fmt::format("deployment \"{}\"", deployment));
  require(fs::exists(file), "deployment \"{}\": {} doesn't exist: training.keep_weights keeps the weights of a step",
          deployment, file.string());
  at::NoGradGuard no_grad;
  const auto weights = read_safetensors(file);
  for (auto& [name, tensor] : named_tensors(run.parameters())) {
    const auto found = weights.find(name);
    require(found != weights.end() && found->second.sizes() == tensor.sizes(),
            "deployment \"{}\": {} was never trained in {}: its router needs other parameters than that run's",
            deployment, name, file.parent_path().string());
    Tensor target = tensor;
    target.copy_(found->second);
  }
}

uint64_t seed_of(const RunSettings& settings) {
  return static_cast<uint64_t>(settings.seed);
}

/// A finished run as it was trained, with its data: what all its deployments share.
class Host {
 public:
  Host(const RunSpec& run, at::Device device)
      : data_(make_dataset(run.settings.data, run.settings.model.context, seed_of(run.settings))),
        own_(live(run.settings, run.moments_run, run.folder, {}, device)),
        native_(loss_under(own_.losses())) {
    require_same_data(run.folder, *data_);
  }

  const Dataset& data() const { return *data_; }
  const LiveRun& own() const { return own_; }
  const Evaluation& native() const { return native_; }

  /// Which weights of a folder, and the deployment that asks for them.
  struct Weights {
    int64_t step = 0;  // 0: at the end
    std::string deployment = "native";
  };
  LiveRun live(const RunSettings& settings, const Path& moments_run, const Path& folder, const Weights& weights,
               at::Device device) const {
    Moments moments;
    if (!moments_run.empty()) moments = read_moments(moments_run);
    LiveRun run(settings, data_->vocabulary(), device, &moments);
    const std::string file =
        weights.step == 0 ? "weights.safetensors" : fmt::format("weights-{}.safetensors", weights.step);
    load_by_name(run, folder / file, weights.deployment);
    return run;
  }

  Evaluation loss_under(const TokenLosses& losses) const { return evaluate(losses, *data_, request(), own_.device()); }
  void look(const TokenLosses& losses) const {
    EvaluationRequest first = request();
    first.max_tokens = observed_batches * first.batch * data_->context();
    observe(losses, *data_, first, own_.device());
  }

 private:
  EvaluationRequest request() const {
    const TrainingSettings& t = own_.settings().training;
    return {Split::valid, t.batch / t.accumulate, 0, seed_of(own_.settings())};
  }
  std::shared_ptr<const Dataset> data_;
  LiveRun own_;
  Evaluation native_;
};

class Deployer {
 public:
  Deployer(const RunSpec& run, const DeploymentTask& task, const Host& host)
      : task_(task), host_(host), own_(&host.own()) {
    const Host::Weights weights{task.spec.step, task.key};
    source_.emplace(host.live(task.settings, task.moments_run, task.source, weights, own_->device()));
    if (task.source != run.folder || task.spec.step > 0)
      recorded_.emplace(host.live(source_settings(task), task.moments_run, task.source, weights, own_->device()));
    routes_ = source_->routes();
    if (task.spec.random > 0) {
      random_ =
          matched_random(*source_, host.data(), swappable_sites(*source_), static_cast<uint64_t>(task.spec.random));
      routes_ = random_->routes;
    }
  }

  DeploymentRecord evaluate_all(NamedTensors& documents) {
    DeploymentRecord out;
    out.deployment = task_.spec.name;
    out.identity = task_.identity;
    const Tensor before = own_->parameters().flat().clone();
    const Evaluation& native = host_.native();
    out.native = native.loss;
    if (task_.spec.loop != "open") out.closed = loss_of("closed", own_->losses(routes_), documents);
    if (task_.spec.loop != "closed") out.open = loss_of("open", open_loop(), documents);
    if (task_.spec.loop == "both") out.compounding = (out.closed - native.loss) / (out.open - native.loss);
    if (task_.spec.hardening) out.hardening = hardening();
    out.agreement = agreement();
    if (reads_gains(routes_)) out.gain_correlation = gain_check();
    if (!task_.label_run.empty()) out.information = information();
    check(at::equal(before, own_->parameters().flat()), "deployment \"{}\" changed weights", task_.key);
    return out;
  }

 private:
  // The run that routers are taken from, as it was trained.
  static RunSettings source_settings(const DeploymentTask& task) {
    const Path file = task.source / "settings.json";
    return run_settings_from_json(read_record_json(file), file.string());
  }

  double loss_of(const std::string& loop, const TokenLosses& losses, NamedTensors& documents) const {
    const Evaluation found = host_.loss_under(losses);
    documents.emplace_back(loop, at::tensor(found.document_losses, at::kDouble));
    return found.loss;
  }

  // Routings are recorded from a native pass (of the run that routers are taken from), then replayed.
  TokenLosses open_loop() const {
    const LiveRun& recorder = recorded_ ? *recorded_ : *own_;
    const bool gains = reads_gains(routes_);
    return [this, &recorder, gains](const Batch& batch, Pass& pass) {
      auto recording = std::make_shared<Recording>();
      recording->tokens = batch.tokens;
      Routes watched = recorder.routes();
      if (gains) watched.gains = expected_gains(recorder.model(), batch.tokens, batch.targets, recorder.routes(), pass);
      Pass first{.in = {.seed = pass.in.seed, .step = pass.in.step, .tokens = batch.tokens}};
      watched.observe = [&](const Site& site, const Routing&, const RouterInput& input) {
        recording->at[site] = (*routes_.at.at(site))(input, first);
      };
      recorder.model().losses(batch.tokens, batch.targets, watched, first);
      Routes replayed = own_->routes();
      for (const auto& [site, route] : routes_.at)
        replayed.at[site] = std::make_shared<Route>(route->replaying(recording));
      return own_->model().losses(batch.tokens, batch.targets, replayed, pass);
    };
  }

  // Loss with the first r layers deployed, r = 0 ... layers.
  std::vector<double> hardening() const {
    std::vector<double> curve;
    for (int64_t r = 0; r <= own_->settings().model.layers; ++r) {
      Routes routes = own_->routes();
      for (const auto& [site, route] : routes_.at)
        if (route->task().component.layer < r) routes.at[site] = route;
      curve.push_back(host_.loss_under(own_->losses(routes)).loss);
    }
    return curve;
  }

  std::map<std::string, AgreementRecord> agreement() const {
    std::map<std::string, AgreementSums> sums;
    Routes watched = routes_;
    watched.observe = [&](const Site& site, const Routing& routing, const RouterInput& input) {
      const RoutingTask& task = routes_.at.at(site)->task();
      sums[task.attention() ? "attention" : "moe"].add(routing, input, task);
    };
    const bool experts = target_named(own_->settings().target).moe;
    host_.look([&](const Batch& batch, Pass& pass) {
      Routes informed = watched;
      if (experts) informed.gains = expected_gains(own_->model(), batch.tokens, batch.targets, own_->routes(), pass);
      return own_->model().losses(batch.tokens, batch.targets, informed, pass);
    });
    std::map<std::string, AgreementRecord> out;
    for (const auto& [kind, sum] : sums)
      if (!sum.empty()) out[kind] = sum.agreement();
    return out;
  }

  // What is decided here, against what would have helped a run that learned by itself.
  std::map<std::string, InformationRecord> information() const {
    const Path file = task_.label_run / "settings.json";
    const RunSettings settings = run_settings_from_json(read_record_json(file), file.string());
    const LiveRun label =
        host_.live(settings, task_.label_moments_run, task_.label_run, {0, task_.key}, own_->device());
    return routing_information(*own_, routes_, label, host_.data());
  }

  // The exact check of science.md section 3, at every layer of experts, on the first batch.
  std::map<std::string, double> gain_check() const {
    const TrainingSettings& t = own_->settings().training;
    const Batch batch = host_.data().evaluation(Split::valid, 0, t.batch / t.accumulate);
    const Tensor tokens = batch.tokens.to(own_->device()), targets = batch.targets.to(own_->device());
    const Pass pass{.in = {.seed = seed_of(own_->settings()), .step = at::zeros({}, tokens.options())}};
    std::map<std::string, double> out;
    for (const auto& [site, route] : own_->routes().at)
      if (!route->task().attention())
        out[site] = gain_correlation(own_->model(), tokens, targets, own_->routes(), site, checked_swaps, pass);
    return out;
  }

  const DeploymentTask& task_;
  const Host& host_;
  const LiveRun* own_;
  std::optional<LiveRun> source_, recorded_;
  std::optional<RandomRoutes> random_;
  Routes routes_;
};

}  // namespace

bool is_deployed(const RunSpec& run, const DeploymentTask& task) {
  const Path file = result_file(run, task);
  if (!fs::exists(file)) return false;
  const std::string text = read_file(file);
  try {
    DeploymentRecord record;
    read_record_fields(parse_record(text, file.string()), file.string(), absorb::detail::list_of(record));
    return record.identity == task.identity;
  } catch (const UserError&) {
    return false;  // damaged: evaluating it again mends that
  }
}

std::vector<const DeploymentTask*> open_deployments(const RunSpec& run) {
  std::vector<const DeploymentTask*> open;
  if (!is_done(run.folder)) return open;
  for (const DeploymentTask& task : run.deployments)
    if (is_done(task.source) && (task.label_run.empty() || is_done(task.label_run)) && !is_deployed(run, task))
      open.push_back(&task);
  return open;
}

void deploy_all(const RunSpec& run, at::Device device) {
  const TrainingSettings& t = run.settings.training;
  configure_torch(static_cast<int>(t.threads), t.tf32);
  const std::vector<const DeploymentTask*> open = open_deployments(run);
  if (open.empty()) return;
  std::vector<std::string> made;
  for (const DeploymentTask* task : open)
    for (const char* extension : {".json", ".safetensors"}) made.push_back("deployments/" + task->key + extension);
  forget_files(run.folder, made);  // an older or a damaged one is made anew
  require_intact(run.folder, Intact::all);
  for (const DeploymentTask* task : open)
    for (const Path& other : {task->source, task->label_run})
      if (!other.empty() && other != run.folder) require_intact(other, Intact::all);
  const Host host(run, device);
  for (const DeploymentTask* task : open) {
    NamedTensors documents;
    const DeploymentRecord result = Deployer(run, *task, host).evaluate_all(documents);
    const Path file = result_file(run, *task);
    make_folder(file.parent_path());
    write_safetensors(Path(file).replace_extension(".safetensors"), documents);
    write_record(file, result);
  }
  write_files_record(run.folder);
}

}  // namespace absorb
