#include "studies/run/agreement.h"
#include "core/numbers.h"

#include <torch/types.h>

namespace absorb {
namespace {

double total(const Tensor& x) {
  return x.sum(at::kDouble).item<double>();
}

}  // namespace

void AgreementSums::add(const Routing& routing, const RouterInput& input, const RoutingTask& task) {
  if (!has_native(input)) return;
  at::NoGradGuard no_grad;
  const Tensor scores = dense(routing.scores);
  Tensor kept = keep_mask(routing, scores);
  kept = kept.defined() ? kept.expand_as(scores) : at::ones_like(scores, at::kBool);
  const Tensor p = native_logits(input, task).softmax(-1);  // the layer's own preference
  const int64_t k = budget(routing), first = task.attention() ? std::min(k, scores.size(-2) - 1) : 0;
  const auto rows = [&](const Tensor& x) { return x.narrow(-2, first, x.size(-2) - first); };
  mass_ += rows(p * kept).sum(-1).mean().item<double>();
  density_ += density(routing).item<double>();
  ++passes_;
  if (k == 0 || (task.attention() && k >= scores.size(-1))) return;
  Routing oracle;
  oracle.scores = materialised(input.native);
  oracle.choice.reset();
  oracle.visible = task.visible;
  const auto* top = std::get_if<KeepTop>(&routing.keep);
  oracle.keep = top_k(dense(oracle.scores), k, task.visible, top != nullptr && top->self);
  const Tensor best = keep_mask(oracle, dense(oracle.scores));
  both_ += total(rows(kept.logical_and(best)));
  either_ += total(rows(kept.logical_or(best)));
  routed_ += total(rows(kept));
  oracle_ += total(rows(best));
  oracle_mass_ += rows(p * best).sum(-1).mean().item<double>();
  ++budgeted_;
}

AgreementRecord AgreementSums::agreement() const {
  const auto passes = static_cast<double>(passes_);
  AgreementRecord out{nan, nan, mass_ / passes, nan, density_ / passes};
  if (budgeted_ == 0) return out;
  out.f1 = 2 * both_ / (routed_ + oracle_);
  out.jaccard = both_ / either_;
  out.oracle_mass = oracle_mass_ / static_cast<double>(budgeted_);
  return out;
}

}  // namespace absorb
