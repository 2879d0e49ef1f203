// What the tests of row-wise kernels share: random tensors on the GPU beside their double twins on the CPU.
#pragma once

#include <gtest/gtest.h>
#include <torch/types.h>

#include "core/device.h"
#include "core/random.h"
#include "tensors/cuda/types.h"

namespace absorb::testing {

class RowKernelsGpu : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const std::string reason = why_no_cuda(); !reason.empty()) GTEST_SKIP() << reason;
    configure_torch(1, /*tf32=*/false);
    step_ = at::full({}, 5, gpu(at::kLong));
  }
  static at::TensorOptions gpu(at::ScalarType type) { return at::TensorOptions().dtype(type).device(at::kCUDA, 0); }
  static void* stream() { return current_cuda_stream(at::Device(at::kCUDA, 0)); }
  /// Normal numbers, the same at every call with the same name.
  static Tensor random(const std::string& name, at::IntArrayRef shape, at::ScalarType type = at::kFloat) {
    return gauss({stream_key(1, name), {}}, shape, at::kCPU).to(gpu(type));
  }
  static Tensor bf16(const std::string& name, at::IntArrayRef shape) { return random(name, shape, at::kBFloat16); }
  static Tensor twin(const Tensor& x) { return x.cpu().to(at::kDouble); }
  /// The dropout and, on the CPU, what it multiplies by.
  kernels::Dropout dropout(double rate) const {
    if (rate == 0) return {};
    return {key, step_.const_data_ptr<int64_t>(), static_cast<uint32_t>(std::llround(rate * 0x1p32)),
            static_cast<float>(1 / (1 - rate))};
  }
  static Tensor mask(double rate, at::IntArrayRef shape) {
    if (rate == 0) return at::ones(shape, at::kDouble);
    return dropout_mask({key, at::full({}, 5, at::kLong)}, rate, shape, at::kCPU).to(at::kDouble);
  }
  static Tensor space(std::size_t bytes) { return at::empty({static_cast<int64_t>(bytes)}, gpu(at::kByte)); }

  static constexpr uint64_t key = 99;
  Tensor step_;
};

inline Bf16* bits(const Tensor& x) {
  return reinterpret_cast<Bf16*>(x.mutable_data_ptr<at::BFloat16>());
}
inline float* floats(const Tensor& x) {
  return x.mutable_data_ptr<float>();
}

/// |got - want| / |want|. fp32 sums stay below 1e-5; bf16 outputs, rounded once, near 1.7e-3.
inline double relative(const Tensor& got, const Tensor& want) {
  return ((got.cpu().to(at::kDouble) - want).norm() / want.norm()).item<double>();
}
constexpr double fp32 = 1e-5, rounded = 2.5e-3;

}  // namespace absorb::testing
