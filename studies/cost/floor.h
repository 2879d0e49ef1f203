// The least time that one training step can take on a GPU: over the operations of a well fused step, the larger of the
// bytes that each must move over the copy bandwidth and its arithmetic over the rate of a matrix product. It lies here
// because it needs a run's settings, and both `absorb bench` and the estimate of a study read it. Surprising: it is the
// floor of a decomposition, not of mathematics. Logits are stored once and moved five times, two of them for the loss
// alone, which a head that forms their gradient where it is used doesn't need; attention computes whole 64 x 64 tiles
// and nothing of size T x T is stored.
#pragma once

#include "studies/plan/run_settings.h"

namespace absorb {

/// `count` equal operations of a step, such as one for each layer. Bytes and operations are those of one.
struct FloorOperation {
  std::string name;
  double bytes = 0;       // each input read once, each output written once
  double operations = 0;  // 2 for a multiply-add
  int64_t count = 1;
};

struct DeviceRates {
  double bytes_per_second = 3.0e12;       // read + written, of a large copy on the device
  double operations_per_second = 780e12;  // of a large product
};

/// Products of bf16 operands on an H100 or H200: 780e12 measured; of fp32 in TF32 or on the ordinary units: the
/// datasheet's ratios of that.
double product_rate(const std::string& precision, bool tf32);

/// The operation that a fused head has no need of.
inline constexpr const char* loss_pass = "cross entropy, both ways";

/// Forward, backward and optimiser of one step of `run` over run.training.batch sequences. precision: "bf16" (bf16
/// activations and gradients of activations, fp32 residual stream and weights) or "fp32". What routers, selections and
/// losses add is what they state themselves (tensors/cost.h).
std::vector<FloorOperation> step_operations(const RunSettings& run, int64_t vocabulary, const std::string& precision);

/// Seconds of all `count` operations, or of a list of them.
double floor_seconds(const FloorOperation& operation, const DeviceRates& rates);
double floor_seconds(const std::vector<FloorOperation>& operations, const DeviceRates& rates);

}  // namespace absorb
