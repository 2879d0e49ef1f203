#include "training/evaluate.h"

#include <torch/types.h>

#include <cmath>
#include <map>
#include <unordered_map>

namespace absorb {
namespace {

class Sums {
 public:
  void add(const Tensor& losses, const Tensor& targets, const Tensor& documents) {
    const Tensor nats = losses.to(at::kCPU, at::kDouble).contiguous(), target = targets.contiguous();
    const Tensor ids = documents.contiguous();
    const double* nat = nats.const_data_ptr<double>();
    const int64_t *has = target.const_data_ptr<int64_t>(), *id = ids.const_data_ptr<int64_t>();
    for (int64_t i = 0; i < nats.numel(); ++i) {
      if (has[i] < 0) continue;
      const auto [place, added] = places_.try_emplace(id[i], out_.documents.size());
      if (added) {
        out_.documents.push_back(id[i]);
        out_.document_losses.push_back(0);
        out_.document_tokens.push_back(0);
      }
      out_.document_losses[place->second] += nat[i];
      ++out_.document_tokens[place->second];
      out_.loss += nat[i];
      ++out_.tokens;
      ++targets_[has[i]];
    }
  }
  Evaluation finish() {
    if (out_.tokens > 0) out_.loss /= static_cast<double>(out_.tokens);
    for (const auto& [target, count] : targets_) {
      const double share = static_cast<double>(count) / static_cast<double>(out_.tokens);
      out_.chance -= share * std::log(share);
    }
    return std::move(out_);
  }

 private:
  Evaluation out_;
  std::unordered_map<int64_t, std::size_t> places_;
  std::map<int64_t, int64_t> targets_;  // in order, so that the sum is the same everywhere
};

// Batches of held-out text until `request.max_tokens` have a target.
template <class Use>
void each_batch(const Dataset& data, const EvaluationRequest& request, at::Device device, const Use& use) {
  at::NoGradGuard no_grad;
  int64_t tokens = 0;
  for (int64_t index = 0; index < data.evaluation_batches(request.split, request.batch); ++index) {
    if (request.max_tokens > 0 && tokens >= request.max_tokens) break;
    const Batch batch = data.evaluation(request.split, index, request.batch);
    tokens += (batch.targets >= 0).sum().item<int64_t>();
    const BesideNoCapture ordinary;
    Pass pass{
        .in = {.seed = request.seed, .step = at::full({}, index, at::TensorOptions().dtype(at::kLong).device(device))}};
    use(batch, index, pass);
  }
}

}  // namespace

Evaluation evaluate(const TokenLosses& losses, const Dataset& data, const EvaluationRequest& request,
                    at::Device device) {
  Sums sums;
  each_batch(data, request, device, [&](const Batch& batch, int64_t index, Pass& pass) {
    sums.add(losses({batch.tokens.to(device), batch.targets.to(device)}, pass), batch.targets,
             data.document_ids(request.split, index, request.batch));
  });
  return sums.finish();
}

void observe(const TokenLosses& losses, const Dataset& data, const EvaluationRequest& request, at::Device device) {
  each_batch(data, request, device, [&](const Batch& batch, int64_t index, Pass& pass) {
    const int64_t rows = data.rows(request.split, index, request.batch);
    const auto text = [&](const Tensor& x) { return x.narrow(0, 0, rows).to(device); };
    if (rows > 0) losses({text(batch.tokens), text(batch.targets)}, pass);
  });
}

}  // namespace absorb
