#include "studies/subject/run_subject.h"

#include <torch/types.h>

#include <set>

#include "core/error.h"
#include "studies/folder/paths.h"
#include "studies/folder/records/files.h"
#include "studies/run/provenance.h"

namespace absorb {
namespace {

// What adapts is the measurement's choice: an arm that trained its routers alone, or froze them, has the same
// components as any other.
RunSettings everything_trains(RunSettings settings) {
  TrainingSettings& training = settings.training;
  training.train.clear();
  training.rates.clear();
  training.freeze.clear();
  training.thaw.clear();
  settings.attention.frozen = settings.moe.frozen = false;
  return settings;
}

std::optional<Moments> moments_of(const RunSpec& run) {
  if (run.moments_run.empty()) return std::nullopt;
  return read_moments(run.moments_run);
}

const Moments* pointer(const std::optional<Moments>& moments) {
  return moments ? &*moments : nullptr;
}

std::shared_ptr<const Dataset> data_of(const RunSettings& settings) {
  return make_dataset(settings.data, settings.model.context, static_cast<uint64_t>(settings.seed));
}

}  // namespace

Tensor mean_loss_of(const Tensor& nats, const Batch& batch) {
  return nats.sum() / (batch.targets >= 0).sum().clamp_min(1);
}

RunSubject::RunSubject(const RunSpec& run, const SubjectOptions& options)
    : settings_(everything_trains(run.settings)),
      batch_(options.batch > 0 ? options.batch : settings_.training.batch / settings_.training.accumulate),
      data_(data_of(settings_)),
      run_(settings_, data_->vocabulary(), options.device, pointer(moments_of(run))) {
  require_same_data(run.folder, *data_);
  load_weights(run_, run.folder);
  identity_ = hash_hex(fmt::format("{} {} {} {}", hash_hex(read_file(run.folder / "weights.safetensors")), run.identity,
                                   data_->hash(), batch_));
  run_.parameters().each_slice(
      [this](const Slice& slice, int64_t begin, int64_t end) { numbers_[subject_component(slice)] += end - begin; });
  for (const auto& [component, numbers] : numbers_) components_.push_back(component);
  held_out_ = data_->evaluation_batches(Split::valid, 1);
  if (held_out_ > 1) --held_out_;  // the last chunk of a text may be a part of one
}

const RandomRoutes& RunSubject::random_routes(const std::vector<Component>& routers, uint64_t draw) {
  const auto known = random_.find({routers, draw});
  if (known != random_.end()) return known->second;
  std::vector<Site> sites;
  for (const auto& [site, route] : run_.routes().at)
    if (std::find(routers.begin(), routers.end(), route->task().component) != routers.end()) sites.push_back(site);
  check(sites.size() == routers.size(), "[RunSubject] a disturbed router has no site");
  return random_.emplace(std::pair{routers, draw}, matched_random(run_, *data_, sites, draw)).first->second;
}

RunSubject::Disturbed::Disturbed(RunSubject& subject, const Disturbance& disturbance)
    : routes_(subject.run_.routes()), stores_{subject.run_.parameters()} {
  std::vector<Component> routers, others;
  for (const Component& component : disturbance.components)
    (is_router(component.part) ? routers : others).push_back(component);
  if (!routers.empty()) {
    const RandomRoutes& random = subject.random_routes(routers, disturbance.draw);
    if (random.parameters.flat().defined()) stores_.push_back(random.parameters);
    for (auto& [site, route] : routes_.at) {
      if (std::find(routers.begin(), routers.end(), route->task().component) == routers.end()) continue;
      const auto& other = random.routes.at.at(site);
      route = disturbance.dose >= 1 ? other
                                    : std::make_shared<Route>(route->blended(
                                          other, disturbance.dose, stream_key(disturbance.draw, "disturbance")));
    }
  }
  at::NoGradGuard no_grad;
  for (const Parameters& store : stores_) saved_.push_back(store.flat().clone());
  if (!others.empty()) add_noise(subject, others, disturbance);
}

void RunSubject::Disturbed::add_noise(RunSubject& subject, const std::vector<Component>& components,
                                      const Disturbance& disturbance) {
  for (const Component& component : components) {
    const Coordinates coordinates({subject.run_.parameters()}, {component});
    const Tensor values = coordinates.values();
    const RandomKey key{stream_key(disturbance.draw, "disturbance/" + to_string(component)), {}};
    const Tensor noise = gauss(key, {values.numel()}, values.device());
    coordinates.set(values + noise * (disturbance.dose * values.square().mean().sqrt()));
  }
}

RunSubject::Disturbed::~Disturbed() {
  at::NoGradGuard no_grad;
  for (std::size_t i = 0; i < saved_.size(); ++i) stores_[i].flat().copy_(saved_[i]);
}

Batch RunSubject::sequences(Examples examples) const {
  std::vector<Tensor> tokens, targets;
  for (const int64_t example : examples) {
    const Batch one = data_->evaluation(Split::valid, example, 1);
    tokens.push_back(one.tokens);
    targets.push_back(one.targets);
  }
  return {at::cat(tokens).to(run_.device()), at::cat(targets).to(run_.device())};
}

void RunSubject::each_batch(Examples examples, const std::function<void(const Batch&, Pass&)>& visit) const {
  const auto size = static_cast<std::size_t>(settings_.training.batch / settings_.training.accumulate);
  for (std::size_t begin = 0; begin < examples.size(); begin += size) {
    const Batch batch = sequences(examples.subspan(begin, std::min(size, examples.size() - begin)));
    Pass pass{.in = {.seed = static_cast<uint64_t>(settings_.seed),
                     .step = at::full({}, static_cast<int64_t>(begin), batch.tokens.options())}};
    visit(batch, pass);
  }
}

std::vector<double> RunSubject::evaluate(const Routes& routes, Examples examples, const Write& write) const {
  at::NoGradGuard no_grad;
  std::vector<double> out;
  const TokenLosses losses = run_.losses(routes);
  each_batch(examples, [&](const Batch& batch, Pass& pass) {
    PassInput input = pass.in;
    input.write = write;
    Pass looked{.in = std::move(input)};
    const Tensor nats = losses(batch, looked).to(at::kDouble).sum(1);
    const Tensor mean = (nats / (batch.targets >= 0).sum(1).clamp_min(1)).cpu();
    out.insert(out.end(), mean.const_data_ptr<double>(), mean.const_data_ptr<double>() + mean.numel());
  });
  return out;
}

std::vector<double> RunSubject::losses(Examples examples, const Disturbance& disturbance) {
  const Disturbed disturbed(*this, disturbance);
  return evaluate(disturbed.routes(), examples);
}

Tensor RunSubject::values(const Group& group) {
  return Coordinates({run_.parameters()}, group.components).values().detach();
}

std::unique_ptr<Subject> make_subject(const RunSpec& run, const SubjectOptions& options) {
  require_done(run.folder);
  require_intact(run.folder, Intact::all);
  return std::make_unique<RunSubject>(run, options);
}

}  // namespace absorb
