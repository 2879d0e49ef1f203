#include "studies/subject.h"

#include <torch/types.h>

#include <set>

#include "core/error.h"
#include "studies/deployments.h"

namespace absorb {
namespace {

/// 1 where a number of the flat storage belongs to one of `components`, else 0.
Tensor flat_mask(const Parameters& parameters, const std::vector<Component>& components) {
  Tensor mask = at::zeros_like(parameters.flat());
  parameters.each_slice([&](const Slice& slice, int64_t begin, int64_t end) {
    if (slice.trained && std::find(components.begin(), components.end(), slice.component) != components.end())
      mask.narrow(0, begin, end - begin).fill_(1);
  });
  return mask;
}

/// AdamW on some of a store's numbers; the others keep their values bit for bit.
class PartialAdamW {
 public:
  PartialAdamW(const Parameters& parameters, const TrainingSettings& settings, const std::vector<Component>& components)
      : parameters_(parameters), mask_(flat_mask(parameters, components)), optimiser_(parameters, plain(settings)) {}
  void zero() { parameters_.flat_gradient().zero_(); }
  void step(double rate) {
    at::NoGradGuard no_grad;
    const Tensor before = parameters_.flat().clone();
    parameters_.flat_gradient().mul_(mask_);
    optimiser_.step(rate, 1);
    parameters_.flat().copy_(at::where(mask_ > 0, parameters_.flat(), before));
  }

 private:
  // What adapts is the measurement's choice, not the arm's.
  static TrainingSettings plain(TrainingSettings settings) {
    settings.rates.clear();
    settings.freeze.clear();
    settings.thaw.clear();
    return settings;
  }
  Parameters parameters_;
  Tensor mask_;
  AdamW optimiser_;
};

// What adapts is the measurement's choice: an arm that trained its routers alone has a backbone that can make up, too.
RunSettings everything_trains(RunSettings settings) {
  settings.training.train.clear();
  return settings;
}

class RunSubject final : public Subject {
 public:
  RunSubject(const Path& folder, at::Device device)
      : settings_(everything_trains(run_settings_from_json(Json::parse(read_file(folder / "settings.json")),
                                                           (folder / "settings.json").string()))),
        data_(make_dataset(settings_.data, settings_.model.context, static_cast<uint64_t>(settings_.seed))),
        run_(settings_, data_->vocabulary(), device),
        identity_(hash_hex(read_file(folder / "weights.safetensors"))) {
    load_weights(run_, folder);
    std::set<Component> all;
    for (const Stored& stored : run_.parameters().stored())
      for (const Slice& slice : stored.slices) {
        Component component = slice.component;
        if (component.part == Part::embedding) component.index = 0;  // token and position tables are one component
        all.insert(component);
      }
    components_.assign(all.begin(), all.end());
    held_out_ = data_->evaluation_batches(Split::valid, 1);
    if (held_out_ > 1) --held_out_;  // the last chunk of a text may be a part of one
  }

  std::string identity() const override { return identity_ + data_->hash(); }
  std::span<const Component> components() const override { return components_; }
  int64_t layers() const override { return settings_.model.layers; }
  int64_t held_out() const override { return held_out_; }
  int64_t tokens_per_sequence() const override { return data_->context(); }

  std::vector<double> losses(Examples examples, const Swap& swap) override {
    const RandomRoutes random = routes_of(swap);
    return evaluate_under(random.routes, examples);
  }

  Adapted adapt(const Swap& swap, const Adaptation& adaptation, Examples examples) override {
    const RandomRoutes random = routes_of(swap);
    if (adaptation.steps == 0) return {evaluate_under(random.routes, examples), false};
    at::NoGradGuard no_grad;
    const Tensor saved = run_.parameters().flat().clone();
    Adapted out;
    try {
      out = train_copy(random, adaptation, examples);
    } catch (...) {
      run_.parameters().flat().copy_(saved);
      throw;
    }
    run_.parameters().flat().copy_(saved);
    return out;
  }

 private:
  RandomRoutes routes_of(const Swap& swap) const {
    if (swap.routers.empty()) return {Parameters(0), run_.routes()};
    std::vector<Site> sites;
    for (const auto& [site, route] : run_.routes().at)
      if (std::find(swap.routers.begin(), swap.routers.end(), route->task().component) != swap.routers.end())
        sites.push_back(site);
    check(sites.size() == swap.routers.size(), "a swapped router has no site");
    return matched_random(run_, *data_, sites, swap.draw);
  }

  Batch sequences(Examples examples) const {
    std::vector<Tensor> tokens, targets;
    for (const int64_t example : examples) {
      const Batch one = data_->evaluation(Split::valid, example, 1);
      tokens.push_back(one.tokens);
      targets.push_back(one.targets);
    }
    return {at::cat(tokens).to(run_.device()), at::cat(targets).to(run_.device())};
  }

  std::vector<double> evaluate_under(const Routes& routes, Examples examples) const {
    at::NoGradGuard no_grad;
    std::vector<double> out;
    const auto size = static_cast<std::size_t>(settings_.training.batch / settings_.training.accumulate);
    for (std::size_t begin = 0; begin < examples.size(); begin += size) {
      const Batch batch = sequences(examples.subspan(begin, std::min(size, examples.size() - begin)));
      Pass pass{.seed = static_cast<uint64_t>(settings_.seed),
                .step = at::full({}, static_cast<int64_t>(begin), batch.tokens.options())};
      const Tensor nats = run_.losses(routes)(batch, pass).to(at::kDouble).sum(1);
      const Tensor mean = (nats / (batch.targets >= 0).sum(1).clamp_min(1)).cpu();
      out.insert(out.end(), mean.const_data_ptr<double>(), mean.const_data_ptr<double>() + mean.numel());
    }
    return out;
  }

  Adapted train_copy(const RandomRoutes& random, const Adaptation& adaptation, Examples examples) {
    std::vector<Component> trained = adaptation.trained;
    const bool embedding = std::count(trained.begin(), trained.end(), Component{-1, Part::embedding, 0}) > 0;
    if (embedding) trained.push_back({-1, Part::embedding, 1});
    const TrainingSettings& t = settings_.training;
    std::vector<PartialAdamW> optimisers;
    optimisers.emplace_back(run_.parameters(), t, trained);
    if (random.parameters.flat().defined()) optimisers.emplace_back(random.parameters, t, trained);
    const TokenLosses losses = run_.losses(random.routes);
    const uint64_t stream = stream_key(static_cast<uint64_t>(settings_.seed), "adaptation");
    for (int64_t step = 1; step <= adaptation.steps; ++step) {
      for (PartialAdamW& optimiser : optimisers) optimiser.zero();
      {
        at::AutoGradMode gradients(true);
        Batch batch = data_->batch(stream, step, t.batch / t.accumulate, 0);
        batch = {batch.tokens.to(run_.device()), batch.targets.to(run_.device())};
        Pass pass{.seed = stream, .step = at::full({}, step, batch.tokens.options())};  // not training: no dropout
        const Tensor loss = mean_loss(losses(batch, pass), batch);
        if (!std::isfinite(loss.item<double>())) return {{}, true};
        loss.backward();
      }
      for (PartialAdamW& optimiser : optimisers) optimiser.step(t.learning_rate / 10);
    }
    Adapted out{evaluate_under(random.routes, examples), false};
    for (const double loss : out.losses) out.diverged = out.diverged || !std::isfinite(loss);
    return out;
  }

  RunSettings settings_;
  std::shared_ptr<const Dataset> data_;
  LiveRun run_;
  std::string identity_;
  std::vector<Component> components_;
  int64_t held_out_ = 0;
};

}  // namespace

std::unique_ptr<Subject> make_subject(const Path& folder, at::Device device) {
  require(std::filesystem::exists(folder / "DONE"), "{}: isn't finished: finish it with `absorb run` first",
          folder.string());
  return std::make_unique<RunSubject>(folder, device);
}

}  // namespace absorb
