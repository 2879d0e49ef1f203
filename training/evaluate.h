// Loss on held-out text: every token once, by document, with whoever wants to look at the passes looking.
#pragma once

#include "training/data/dataset.h"
#include "training/trainer.h"

namespace absorb {

struct Evaluation {
  double loss = 0;                      // mean nats per token
  int64_t tokens = 0;                   // with a target
  double chance = 0;                    // nats per token of the best guess that reads nothing: the targets' entropy
  std::vector<int64_t> documents;       // ids in the order they first appear
  std::vector<double> document_losses;  // summed nats
  std::vector<int64_t> document_tokens;
};

struct EvaluationRequest {
  Split split = Split::valid;
  int64_t batch = 32;      // sequences a pass
  int64_t max_tokens = 0;  // 0: all
  uint64_t seed = 0;       // names the streams of routers that draw
};

/// Gradients are off; the pass counts as evaluation. Sums are in double, in the order of the text.
Evaluation evaluate(const TokenLosses& losses, const Dataset& data, const EvaluationRequest& request,
                    at::Device device);

/// The same passes for whoever reads something off them, over text alone: rows of a batch beyond the end of the text,
/// and a last row that is only partly text, are left out, since every mean over rows would count them.
void observe(const TokenLosses& losses, const Dataset& data, const EvaluationRequest& request, at::Device device);

}  // namespace absorb
