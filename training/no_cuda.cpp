// Stands in for training/cuda/ in a build without a CUDA compiler.
#include "core/device.h"
#include "core/error.h"
#include "training/cuda/adamw.cuh"
#include "training/step_graph.h"

namespace absorb {
namespace {

[[noreturn]] void no_kernels() {
  user_error("{}: install one and build again, or use --device cpu", why_no_cuda());
}

}  // namespace

bool can_capture(at::Device) {
  return false;
}
BesideNoCapture::BesideNoCapture() {}  // nothing is ever captured
BesideNoCapture::~BesideNoCapture() {}
struct StepGraph::Captured {};
StepGraph::StepGraph(const std::function<void()>&) {
  no_kernels();
}
StepGraph::~StepGraph() = default;
void StepGraph::replay() const {}
struct StreamScope::Streams {};
StreamScope::StreamScope(at::Device) {}
StreamScope::~StreamScope() = default;

namespace kernels {

void adamw_step(const AdamWStep&, void*) {
  no_kernels();
}
size_t adamw_bytes() {
  no_kernels();
}

}  // namespace kernels
}  // namespace absorb
