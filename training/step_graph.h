// A training step captured once and replayed: the GPU's work without the CPU's. What is captured must read everything
// that changes between steps from device memory, and must not wait for the GPU.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>

namespace absorb {

using at::Tensor;

/// Whether `device` can capture at all.
bool can_capture(at::Device device);

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
