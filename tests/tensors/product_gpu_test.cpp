// Products on the GPU against double, and the same bits whoever else computes.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <torch/types.h>

#include <ATen/Context.h>
#include <c10/core/StreamGuard.h>

#include <algorithm>
#include <array>
#include <random>
#include <thread>

#include "core/device.h"
#include "tensors/linear/product.h"

namespace absorb {
namespace {

// Relative errors of outputs in bf16 (the mean over many numbers, each rounded) and fp32: tensor cores truncate as they
// add, and 24,000 products are off by 2.8e-5. One rounding to bf16 is off by at most 2^-9; the truncation is allowed 2
// %.
constexpr double rounded = 2.5e-3, rounding = 1.02 * 0x1p-8, summed = 5e-5;

Tensor matrix(int64_t rows, int64_t columns, bool transposed, int64_t pad, at::ScalarType type) {
  const auto options = at::TensorOptions().dtype(type).device(at::kCUDA, 0);
  const int64_t stored = transposed ? columns : rows, wide = transposed ? rows : columns;
  const Tensor part = at::empty({stored, wide + pad}, options).normal_().narrow(1, 0, wide);
  return transposed ? part.t() : part;
}

struct Operands {
  Tensor a, b, out;
};

Operands operands(const ProductKind& k, int64_t pad = 0) {
  return {matrix(k.rows, k.inner, k.a_transposed, pad, at::kBFloat16),
          matrix(k.inner, k.columns, k.b_transposed, pad, at::kBFloat16),
          matrix(k.rows, k.columns, false, pad, k.fp32 ? at::kFloat : at::kBFloat16)};
}

std::string named(const ProductKind& k) {
  return fmt::format("{} x {} x {}, transposed {} {}, fp32 {}, adds {}", k.rows, k.inner, k.columns, k.a_transposed,
                     k.b_transposed, k.fp32, k.adds);
}

void expect_right(const ProductKind& kind, int64_t pad = 0) {
  const Operands m = operands(kind, pad);
  const Tensor product = at::mm(m.a.to(at::kDouble), m.b.to(at::kDouble));
  const Tensor want = kind.adds ? product + m.out.to(at::kDouble) : product;
  multiply_into(m.out, m.a, m.b, kind.adds);
  const double off = ((m.out.to(at::kDouble) - want).norm() / want.norm()).item<double>();
  // Of a few numbers each may be rounded by the most: the sum, and the product that it was added to.
  const double roundings = kind.adds ? 1 + (product.norm() / want.norm()).item<double>() : 1;
  const bool few = kind.rows * kind.columns < 64;
  EXPECT_LE(off, kind.fp32 ? summed : few ? rounding * roundings : rounded) << named(kind);
}

class ProductGpu : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const std::string reason = why_no_cuda(); !reason.empty()) GTEST_SKIP() << reason;
    configure_torch(1, /*tf32=*/false);
    at::manual_seed(1);  // the same numbers whatever ran before
  }
  // Every way of lying, of output and of adding, of one size.
  static std::vector<ProductKind> ways(int64_t rows, int64_t inner, int64_t columns) {
    std::vector<ProductKind> kinds;
    for (int way = 0; way < 16; ++way)
      kinds.push_back({rows, inner, columns, (way & 1) != 0, (way & 2) != 0, (way & 4) != 0, (way & 8) != 0});
    return kinds;
  }
};

TEST_F(ProductGpu, AgreesWithDouble) {
  std::mt19937 draw(1);
  const auto size = [&](int64_t most) { return std::uniform_int_distribution<int64_t>(1, most)(draw); };
  for (int sample = 0; sample < 6; ++sample) {
    const int64_t rows = size(700), inner = size(3000), columns = size(500), pad = size(9) - 1;
    for (const ProductKind& kind : ways(rows, inner, columns)) expect_right(kind, pad);
    for (const ProductKind& kind : ways(8 * rows, 8 * inner, 8 * columns)) expect_right(kind, 8 * pad);
  }
  for (const ProductKind& kind : ways(1, 1, 1)) expect_right(kind);
  for (const ProductKind& kind : ways(1, 64, 8)) expect_right(kind);
}

TEST_F(ProductGpu, LeavesAnEmptyOutputAlone) {
  const auto options = at::TensorOptions().dtype(at::kBFloat16).device(at::kCUDA, 0);
  EXPECT_EQ(bf16_product(at::empty({0, 8}, options), at::empty({8, 16}, options)).sizes(), at::IntArrayRef({0, 16}));
}

TEST_F(ProductGpu, UsesTheTableOnItsCard) {
  const auto uses = [](const PinnedProduct& pinned) {
    const ProductKind& k = pinned.kind;
    return is_pinned({k, k.a_transposed ? k.rows : k.inner, k.b_transposed ? k.inner : k.columns, k.columns, 16});
  };
  const auto& table = pinned_products().products;
  const auto used = std::count_if(table.begin(), table.end(), uses);
  if (used == 0) GTEST_SKIP() << "the table is another card's, or another cuBLASLt's";
  EXPECT_EQ(used, std::ssize(table));
  for (const PinnedProduct& pinned : table)
    if (pinned.kind.rows * pinned.kind.columns < int64_t{1} << 29 && pinned.kind.rows * pinned.kind.inner < int64_t{1}
                                                                                                                << 29)
      expect_right(pinned.kind);
}

// A weight gradient that is summed in parts, ones of few and of many tiles.
const std::vector<ProductKind> repeated = {{256, 8192, 256, true, false, true, true},
                                           {768, 8192, 256, true, false, true, true},
                                           {64, 30000, 72, true, false, false, false},
                                           {8192, 256, 1024, false, true, false, false}};

TEST_F(ProductGpu, GivesTheSameBitsTwiceAndBesideAnotherThread) {
  constexpr int threads = 2, repeats = 200;
  std::vector<Operands> given;
  std::vector<Tensor> once;
  for (const ProductKind& kind : repeated) {
    given.push_back(operands(kind));
    once.push_back(given.back().out.clone());
    multiply_into(once.back(), given.back().a, given.back().b, kind.adds);
  }
  const c10::impl::VirtualGuardImpl gpu(at::kCUDA);
  gpu.synchronizeDevice(0);
  std::array<std::vector<Tensor>, threads> outs;
  const auto work = [&](std::vector<Tensor>& own) {
    const c10::StreamGuard guard(gpu.getStreamFromGlobalPool(at::Device(at::kCUDA, 0)));
    Tensor differ = at::zeros({}, at::TensorOptions().dtype(at::kLong).device(at::kCUDA, 0));
    for (int repeat = 0; repeat < repeats; ++repeat)
      for (std::size_t i = 0; i < repeated.size(); ++i) {
        const Tensor out = given[i].out.clone();
        multiply_into(out, given[i].a, given[i].b, repeated[i].adds);
        differ += (out != once[i]).sum();
      }
    own.push_back(differ.cpu());
  };
  std::vector<std::thread> running;
  for (auto& own : outs) running.emplace_back(work, std::ref(own));
  for (std::thread& thread : running) thread.join();
  for (const auto& own : outs) EXPECT_EQ(own.at(0).item<int64_t>(), 0);
}

}  // namespace
}  // namespace absorb
