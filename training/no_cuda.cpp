// Stands in for training/cuda/ in a build without a CUDA compiler.
#include "core/device.h"
#include "training/cuda/adamw.cuh"
#include "training/step_graph.h"

namespace absorb {
bool can_capture(at::Device) {
  return false;
}
BesideNoCapture::BesideNoCapture() {}  // nothing is ever captured
BesideNoCapture::~BesideNoCapture() {}
struct StepGraph::Captured {};
StepGraph::StepGraph(const std::function<void()>&) {
  unavailable();
}
StepGraph::~StepGraph() = default;
void StepGraph::replay() const {}
struct StreamScope::Streams {};
StreamScope::StreamScope(at::Device) {}
StreamScope::~StreamScope() = default;

namespace kernels {

void adamw_step(const AdamWStep&, void*) {
  unavailable();
}
size_t adamw_bytes() {
  unavailable();
}

}  // namespace kernels
}  // namespace absorb
