// LibTorch's CUDAGraph keeps what was captured alive in a memory pool of its own.
#include "training/step_graph.h"

#include <torch/types.h>

#include <ATen/cuda/CUDAEvent.h>
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

namespace absorb {

bool can_capture(at::Device device) {
  return device.is_cuda();
}

struct StepGraph::Captured {
  at::cuda::CUDAGraph graph;
};

StepGraph::StepGraph(const std::function<void()>& work) : captured_(std::make_unique<Captured>()) {
  // Thread-local: other runs of this process go on allocating meanwhile.
  captured_->graph.capture_begin({0, 0}, cudaStreamCaptureModeThreadLocal);
  try {
    work();
  } catch (...) {
    try {
      captured_->graph.capture_end();  // leaves the stream usable; what it says of the broken capture is known
    } catch (const std::exception&) {
    }
    throw;
  }
  captured_->graph.capture_end();
}

StepGraph::~StepGraph() = default;

void StepGraph::replay() const {
  captured_->graph.replay();
}

struct StreamScope::Streams {
  explicit Streams(at::Device device)
      : before(c10::cuda::getCurrentCUDAStream(device.index())),
        own(c10::cuda::getStreamFromPool(/*isHighPriority=*/false, device.index())) {
    follow(own, before);
    c10::cuda::setCurrentCUDAStream(own);
  }
  static void follow(const c10::cuda::CUDAStream& later, const c10::cuda::CUDAStream& earlier) {
    at::cuda::CUDAEvent event;
    event.record(earlier);
    event.block(later);
  }
  c10::cuda::CUDAStream before, own;
};

StreamScope::StreamScope(at::Device device) {
  if (device.is_cuda()) streams_ = std::make_unique<Streams>(device);
}

StreamScope::~StreamScope() {
  if (!streams_) return;
  Streams::follow(streams_->before, streams_->own);
  c10::cuda::setCurrentCUDAStream(streams_->before);
}

}  // namespace absorb
