// A training step captured once and replayed: the GPU's work without the CPU's. What is captured must read everything
// that changes between steps from device memory, and must not wait for the GPU. Surprising: runs of one process share
// autograd's thread, LibTorch's allocator and its generators, none of which expects work of others beside a capture;
// replays may run beside anything.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>

namespace absorb {

using at::Tensor;

/// Whether `device` can capture at all.
bool can_capture(at::Device device);

/// Work on a GPU that is no replay: while one lives, no other thread captures a step or lets go of a captured one, and
/// it isn't made while one does. Several may live at once, but only one on a thread.
class BesideNoCapture {
 public:
  BesideNoCapture();
  ~BesideNoCapture();
  BesideNoCapture(const BesideNoCapture&) = delete;
  BesideNoCapture& operator=(const BesideNoCapture&) = delete;
};

class StepGraph {
 public:
  /// Captures what `work` puts on the current stream, without running it. Throws c10::Error when something in it can't
  /// be captured.
  explicit StepGraph(const std::function<void()>& work);
  ~StepGraph();
  StepGraph(const StepGraph&) = delete;
  StepGraph& operator=(const StepGraph&) = delete;
  /// Runs it all on the current stream.
  void replay() const;

 private:
  struct Captured;
  std::unique_ptr<Captured> captured_;
};

/// A GPU stream of its own for a run, current on this thread while the scope lives: captured graphs need one, and runs
/// that share a GPU overlap through theirs. Nothing on a CPU.
class StreamScope {
 public:
  explicit StreamScope(at::Device device);
  ~StreamScope();
  StreamScope(const StreamScope&) = delete;
  StreamScope& operator=(const StreamScope&) = delete;

 private:
  struct Streams;
  std::unique_ptr<Streams> streams_;
};

}  // namespace absorb
