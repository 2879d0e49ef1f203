// LibTorch's CUDAGraph keeps what was captured alive in a memory pool of its own.
#include "training/step_graph.h"

#include <torch/types.h>

#include <ATen/cuda/CUDAEvent.h>
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

#include <mutex>
#include <shared_mutex>

namespace absorb {
namespace {

// Whoever waits for the room holds the door, so that a capture isn't kept waiting by those that come later.
std::mutex door;
std::shared_mutex room;

class Alone {
 public:
  Alone() {
    const std::lock_guard at_the_door(door);
    room.lock();
  }
  ~Alone() { room.unlock(); }
  Alone(const Alone&) = delete;
  Alone& operator=(const Alone&) = delete;
};

}  // namespace

BesideNoCapture::BesideNoCapture() {
  const std::lock_guard at_the_door(door);
  room.lock_shared();
}

BesideNoCapture::~BesideNoCapture() {
  room.unlock_shared();
}

bool can_capture(at::Device device) {
  return device.is_cuda();
}

struct StepGraph::Captured {
  at::cuda::CUDAGraph graph;
};

StepGraph::StepGraph(const std::function<void()>& work) : captured_(std::make_unique<Captured>()) {
  const Alone alone;
  // Thread-local: the replays of other runs go on meanwhile, and what they allocate with.
  captured_->graph.capture_begin({0, 0}, cudaStreamCaptureModeThreadLocal);
  try {
    work();
  } catch (...) {
    try {
      captured_->graph.capture_end();  // leaves the stream usable; what it says of the broken capture is known
    } catch (const std::exception&) {
    }
    captured_ = nullptr;  // still alone
    throw;
  }
  captured_->graph.capture_end();
}

StepGraph::~StepGraph() {
  const Alone alone;  // LibTorch's generator keeps a list of graphs, without a lock
  captured_ = nullptr;
}

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
