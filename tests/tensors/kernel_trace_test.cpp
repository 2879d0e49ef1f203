// Names and times of kernels; recording them needs a GPU (kernel_trace_gpu_test.cpp).
#include "tensors/kernels/kernel_trace.h"

#include <gtest/gtest.h>

namespace absorb {
namespace {

TEST(KernelTrace, NamesAreShort) {
  EXPECT_EQ(short_kernel_name("memcpy"), "memcpy");
  EXPECT_EQ(short_kernel_name("sm90_xmma_gemm_bf16bf16_bf16f32"), "sm90_xmma_gemm_bf16bf16_bf16f32");
  // void absorb::kernels::(anonymous namespace)::attend<64, true>(float*)
  EXPECT_EQ(short_kernel_name("_ZN6absorb7kernels12_GLOBAL__N_16attendILi64ELb1EEEvPf"), "attend<64, true>");
  // void absorb::kernels::spin(float*, int)
  EXPECT_EQ(short_kernel_name("_ZN6absorb7kernels4spinEPfi"), "spin");
  // void absorb::kernels::attend::key_kernel<64>(int)
  EXPECT_EQ(short_kernel_name("_ZN6absorb7kernels6attend10key_kernelILi64EEEvi"), "attend::key_kernel<64>");
  // One of several kernels called "backward": told apart by the file that nvcc names.
  EXPECT_EQ(
      short_kernel_name("_ZN6absorb7kernels39_GLOBAL__N__b86bc77d_7_norm_cu_256c2d958backwardILi256ELi4ELb0EEEvi"),
      "norm::backward<256, 4, false>");
  EXPECT_EQ(short_kernel_name("void cutlass::Kernel2<cutlass_80_tensorop_s1688gemm_128x128_nn_align4>(int)"),
            "cutlass_80_tensorop_s1688gemm_128x128_nn_align4");
}

TEST(KernelTrace, LibTorchsElementwiseKernelsSayWhatTheyApply) {
  EXPECT_EQ(short_kernel_name("void at::native::vectorized_elementwise_kernel<4, at::native::FillFunctor<float>, "
                              "std::array<char*, 1ul> >(int, at::native::FillFunctor<float>, std::array<char*, 1ul>)"),
            "vectorized_elementwise_kernel<FillFunctor>");
  EXPECT_EQ(short_kernel_name("void at::native::elementwise_kernel<128, 4, at::native::gpu_kernel_impl_nocast<"
                              "at::native::BinaryFunctor<float, float, float, at::native::binary_internal::"
                              "MulFunctor<float> > >(at::TensorIteratorBase&)::{lambda(int)#1}>(int)"),
            "elementwise_kernel<MulFunctor>");
  EXPECT_EQ(short_kernel_name("void at::native::reduce_kernel<512, 1, at::native::ReduceOp<float, "
                              "at::native::NormTwoOps<float, float, float>, unsigned int, float, 4> >(int)"),
            "reduce_kernel<NormTwoOps>");
}

TEST(KernelTrace, BusyIsTheUnionOfSpans) {
  EXPECT_EQ(busy_nanoseconds({}), 0U);
  EXPECT_EQ(busy_nanoseconds({{10, 20}, {0, 5}, {15, 30}, {16, 17}, {40, 41}}), 5U + 20U + 1U);
}

}  // namespace
}  // namespace absorb
