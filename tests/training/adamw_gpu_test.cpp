// The flat AdamW kernel against AdamW on the CPU, over steps whose ranges and rates change.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <torch/types.h>

#include "core/device.h"
#include "core/random.h"
#include "training/cuda/adamw.cuh"
#include "training/optimiser/adamw.h"
#include "training/optimiser/rates.h"

namespace absorb {
namespace {

float* floats(const Tensor& x) {
  return x.mutable_data_ptr<float>();
}

// The state of a run on the GPU, stepped by the kernel.
struct OnGpu {
  explicit OnGpu(const Tensor& flat)
      : values(flat.to(at::Device(at::kCUDA, 0), flat.scalar_type(), false, /*copy=*/true)),
        first(at::zeros_like(values)),
        second(at::zeros_like(values)),
        shadow(at::zeros_like(values, at::kBFloat16)),
        steps(at::zeros({}, values.options())),
        norm(at::zeros({}, values.options())),
        workspace(at::empty({static_cast<int64_t>(kernels::adamw_bytes())}, values.options().dtype(at::kByte))) {}
  void step(const Tensor& gradient, double rate, const TrainingSettings& settings,
            const std::vector<RateRange>& ranges) {
    std::vector<kernels::AdamWRange> host;
    for (const RateRange& range : ranges) host.push_back({range.begin, range.end, static_cast<float>(range.ratio)});
    host.push_back({values.numel(), values.numel(), 9});  // an empty range keeps a number of ranges
    const auto bytes = static_cast<int64_t>(host.size() * sizeof(host[0]));
    const Tensor table = at::from_blob(host.data(), {bytes}, at::kByte).to(values.device());
    const Tensor now = at::full({}, rate, values.options());
    kernels::adamw_step({.count = values.numel(),
                         .values = floats(values),
                         .gradient = floats(gradient),
                         .first = floats(first),
                         .second = floats(second),
                         .shadow = reinterpret_cast<Bf16*>(shadow.mutable_data_ptr<at::BFloat16>()),
                         .rate = floats(now),
                         .steps = floats(steps),
                         .norm = floats(norm),
                         .ranges = static_cast<const kernels::AdamWRange*>(table.const_data_ptr()),
                         .range_count = static_cast<int64_t>(host.size()),
                         .beta1 = settings.beta1,
                         .beta2 = settings.beta2,
                         .weight_decay = settings.weight_decay,
                         .epsilon = settings.epsilon,
                         .clip = settings.clip,
                         .zero_gradient = true,
                         .workspace = workspace.mutable_data_ptr()},
                        current_cuda_stream(values.device()));
  }
  Tensor values, first, second, shadow, steps, norm, workspace;
};

double relative(const Tensor& got, const Tensor& want) {
  return ((got.cpu() - want).norm() / want.norm()).item<double>();
}

TEST(AdamWGpu, StepsAsTheCpuDoes) {
  if (const std::string reason = why_no_cuda(); !reason.empty()) GTEST_SKIP() << reason;
  const Parameters parameters(1);
  for (const int64_t rows : {3, 4000, 1, 777, 20000})
    parameters.add(fmt::format("w{}", rows), {rows, 7}, Init::normal(1), {0, Part::feed_forward, 0});
  TrainingSettings settings;
  settings.rates = {{"w777", 0.5}};
  settings.thaw = {{"w4000", 2}};
  settings.freeze = {{"w3", 1}};
  parameters.gather(at::kCPU);
  AdamW cpu(parameters, settings);
  OnGpu gpu(parameters.flat());
  for (int64_t step = 1; step <= 4; ++step) {
    const double rate = 1e-2 / static_cast<double>(step);
    const Tensor gradient = gauss({stream_key(2, std::to_string(step)), {}}, parameters.flat().sizes(), at::kCPU);
    parameters.flat_gradient().copy_(gradient);
    cpu.prepare(step);
    const Tensor norm = cpu.step(rate, {});
    const Tensor on_gpu = gradient.to(gpu.values.device());
    gpu.step(on_gpu, rate, settings, rate_ranges(parameters, settings, step));
    EXPECT_LT(relative(gpu.norm, norm), 1e-5) << step;
    EXPECT_LT(relative(gpu.values, parameters.flat().detach()), 1e-6) << step;
    EXPECT_EQ(on_gpu.count_nonzero().item<int64_t>(), 0) << step;
  }
  for (const auto& [name, tensor] : cpu.state()) {
    const Tensor& own = name == "first" ? gpu.first : name == "second" ? gpu.second : gpu.steps;
    EXPECT_LT(relative(own, tensor), 1e-5) << name;
  }
  // The shadow holds the values wherever a step was taken; w3 stepped once, and its shadow stayed with it.
  EXPECT_TRUE(at::equal(gpu.shadow, gpu.values.to(at::kBFloat16)));
}

}  // namespace
}  // namespace absorb
