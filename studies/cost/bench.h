// A run's training steps without its corpus, timed: what `absorb bench` and the comparison with PyTorch measure. The
// model, routes and trainer are those of `absorb run`; only the tokens are random, which cost what text costs.
#pragma once

#include <memory>

#include "studies/run/live_run.h"
#include "tensors/kernels/kernel_trace.h"
#include "training/step_graph.h"
#include "training/trainer.h"

namespace absorb {

/// Milliseconds of single steps, in order.
using StepTimes = std::vector<double>;
double median(StepTimes times);
double least(const StepTimes& times);

class BenchRun {
 public:
  /// Builds the run and takes `warmup` steps; `fused`: with kernels where there are some. UserError where the arm
  /// starts from another arm's moments; c10::OutOfMemoryError where the GPU's memory doesn't hold it (say_what_fits()
  /// makes a UserError of that).
  BenchRun(const RunSettings& run, int64_t vocabulary, at::Device device, bool fused, int64_t warmup);

  /// Between one step's end and the next one's: by CUDA events, nothing being waited for within; by the wall clock on a
  /// CPU.
  StepTimes time(int64_t steps);
  /// What else a run does, once; on the thread that built this, waiting for the end. Losses of a micro-batch as during
  /// training, or `exactly`, in fp32, as after it; a checkpoint below `folder`; another such run in memory.
  void evaluate(bool exactly);
  void checkpoint(const Path& folder) const;
  void build() const;
  /// Whether steps are replayed from a graph.
  bool captured() const { return trainer_->captured(); }
  /// The kernels of so many steps; on a GPU alone.
  KernelTrace trace(int64_t steps);

  const RunSettings& settings() const { return settings_; }
  int64_t tokens() const { return settings_.training.batch * settings_.model.context; }  // a step
  double first_loss() const { return first_loss_; }                                      // nats per token
  double last_loss() const { return last_loss_.item<double>(); }
  int64_t peak() const;  // bytes of the GPU's memory; 0 on a CPU

 private:
  void step();
  RunSettings settings_;
  int64_t vocabulary_;
  at::Device device_;
  StreamScope stream_;  // of the thread that built this and takes the steps
  std::unique_ptr<LiveRun> live_;
  TokenLosses trained_losses_;
  std::unique_ptr<Trainer> trainer_;
  std::vector<std::vector<Batch>> batches_;  // of micro-batches; taken in turns
  double first_loss_ = 0;
  Tensor last_loss_;
};

/// Bytes read and written each second by a large copy on the device, measured; 0 on a CPU.
double copy_bandwidth(at::Device device);

}  // namespace absorb
