#include <torch/types.h>

#include "compensation/subject/subspace.h"
#include "core/error.h"
#include "studies/subject/run_subject.h"

namespace absorb {
namespace {

/// Adam on the coordinates of a subspace of some components' numbers; everything else keeps its values bit for bit.
class SubspaceAdam {
 public:
  SubspaceAdam(const Coordinates& trained, Subspace subspace, const TrainingSettings& settings)
      : trained_(trained),
        settings_(settings),
        origin_(trained.values()),
        subspace_(std::move(subspace)),
        place_(at::zeros({subspace_.dimension()}, origin_.options())),
        first_(at::zeros_like(place_)),
        second_(at::zeros_like(place_)),
        count_(at::zeros({}, place_.options())) {}

  void step(double rate) {
    at::NoGradGuard no_grad;
    count_ += 1;
    at::_fused_adamw_({place_}, {subspace_.compress(trained_.gradients())}, {first_}, {second_}, {}, {count_}, rate,
                      settings_.beta1, settings_.beta2, /*weight_decay=*/0, settings_.epsilon, /*amsgrad=*/false,
                      /*maximize=*/false);
    trained_.set(origin_ + subspace_.expand(place_));
  }

 private:
  const Coordinates& trained_;
  const TrainingSettings& settings_;
  Tensor origin_;  // [numbers]
  Subspace subspace_;
  Tensor place_, first_, second_;  // [dimension]
  Tensor count_;
};

bool all_finite(const std::vector<double>& values) {
  return std::all_of(values.begin(), values.end(), [](double value) { return std::isfinite(value); });
}

}  // namespace

Tensor RunSubject::adaptation_loss(const TokenLosses& losses, int64_t step) const {
  const uint64_t stream = stream_key(static_cast<uint64_t>(settings_.seed), "adaptation");
  Batch batch = data_->batch(stream, step, batch_, 0);
  batch = {batch.tokens.to(run_.device()), batch.targets.to(run_.device())};
  // Not training: no dropout. What the model's layers were taught by is part of what it learns by.
  Pass pass{.in = {.layers = true, .seed = stream, .step = at::full({}, step, batch.tokens.options())}};
  const Tensor loss = mean_loss_of(losses(batch, pass), batch);
  const auto layers = pass.out.losses.find("layers");
  return layers == pass.out.losses.end() ? loss : loss + layers->second;
}

Adapted RunSubject::adapt(const Disturbance& disturbance, const Adaptation& adaptation, Examples examples) {
  check(std::is_sorted(adaptation.steps.begin(), adaptation.steps.end()), "[RunSubject] steps must rise");
  const Disturbed disturbed(*this, disturbance);
  std::vector<int64_t> sizes;
  for (const auto& part : adaptation.parts) sizes.push_back(Coordinates(disturbed.stores(), part).numbers());
  const Coordinates moved(disturbed.stores(), trained(adaptation));
  check(moved.numbers() > 0, "[RunSubject] nothing to adapt");
  const TrainOnly only(disturbed.stores(), moved);
  SubspaceAdam optimiser(moved, Subspace(adaptation, sizes, run_.device()), settings_.training);
  const TokenLosses losses = run_.losses(disturbed.routes());
  Adapted out;
  int64_t done = 0;
  for (const int64_t steps : adaptation.steps) {
    for (; done < steps; ++done) {
      for (const Parameters& store : disturbed.stores()) store.flat_gradient().zero_();
      const Tensor loss = adaptation_loss(losses, done + 1);
      if (!std::isfinite(loss.item<double>())) return {{}, true};
      if (loss.requires_grad()) loss.backward();  // a router whose selection passes no gradient has none
      optimiser.step(rate());
    }
    out.losses.push_back(evaluate(disturbed.routes(), examples));
    if (!all_finite(out.losses.back())) return {{}, true};
  }
  return out;
}

}  // namespace absorb
