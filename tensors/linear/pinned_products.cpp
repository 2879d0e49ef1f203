// Written by benchmarks/pin_products on an NVIDIA H100 80GB HBM3; of two runs, the one with the better ratio.
// Product shapes: rows, inner, columns, whether a and b are stored transposed, fp32 output, adds.
#include "tensors/linear/product.h"

namespace absorb {
namespace {

// clang-format off
constexpr PinnedProduct pinned[] = {
    // 7.7 us, heuristic 8.9: id 66 tile 315 stages 35 split 16 reduction 2 swizzle 0 option 1 inner 0 cluster 3
    {{8, 8192, 256, true, false, true, true},
     {0x13b00000042, 0x1000000023, 0x2, 0x3000000000001, 0x1fc3400000001, 0xe0000000e, 0x4400000000, 0x0}},
    // 14.2 us, heuristic 15.4: id 66 tile 27 stages 35 split 16 reduction 2 swizzle 0 option 6 inner 0 cluster 4
    {{8, 32768, 384, true, false, true, true},
     {0x1b00000042, 0x1000000023, 0x2, 0x4000000000006, 0x1fc3400000001, 0xe0000000e, 0x4400000000, 0x0}},
    // 9.7 us, heuristic 10.5: id 66 tile 15 stages 35 split 5 reduction 2 swizzle 2 option 3 inner 0 cluster 9
    {{256, 8192, 256, true, false, true, true},
     {0xf00000042, 0x500000023, 0x200000002, 0x9000000000003, 0x1fc3400000001, 0xe0000000e, 0x4400000000, 0x0}},
    // 26.1 us, heuristic 26.7: id 66 tile 18 stages 35 split 7 reduction 2 swizzle 2 option 2 inner 0 cluster 2
    {{384, 32768, 384, true, false, true, true},
     {0x1200000042, 0x700000023, 0x200000002, 0x2000000000002, 0x1fc3400000001, 0xe0000000e, 0x4400000000, 0x0}},
    // 13.1 us, heuristic 13.9: id 66 tile 17 stages 35 split 5 reduction 2 swizzle 0 option 6 inner 0 cluster 7
    {{768, 8192, 256, true, false, true, true},
     {0x1100000042, 0x500000023, 0x2, 0x7000000000006, 0x1fc3400000001, 0xe0000000e, 0x4400000000, 0x0}},
    // 14.7 us, heuristic 15.9: id 66 tile 17 stages 35 split 4 reduction 2 swizzle 0 option 3 inner 0 cluster 2
    {{1024, 8192, 256, true, false, true, true},
     {0x1100000042, 0x400000023, 0x2, 0x2000000000003, 0x1fc3400000001, 0xe0000000e, 0x4400000000, 0x0}},
    // 6.5 us, heuristic 6.8: id 66 tile 17 stages 35 split 1 reduction 0 swizzle 1 option 4 inner 0 cluster 3
    {{8192, 8, 256, false, false, false, true},
     {0x1100000042, 0x100000023, 0x100000000, 0x3000000000004, 0x1fc3400000001, 0xe0000000e, 0x44000e000e, 0x0}},
    // 5.8 us, heuristic 6.3: id 66 tile 18 stages 35 split 1 reduction 0 swizzle 1 option 2 inner 0 cluster 2
    {{8192, 256, 256, false, false, false, false},
     {0x1200000042, 0x100000023, 0x100000000, 0x2000000000002, 0x1fc3400000001, 0xe0000000e, 0x44000e000e, 0x0}},
    // 5.7 us, heuristic 6.3: id 66 tile 183 stages 35 split 1 reduction 0 swizzle 0 option 2 inner 0 cluster 2
    {{8192, 256, 256, false, true, false, false},
     {0xb700000042, 0x100000023, 0x0, 0x2000000000002, 0x1fc3400000001, 0xe0000000e, 0x44000e000e, 0x0}},
    // 9.3 us, heuristic 9.9: id 66 tile 31 stages 35 split 1 reduction 0 swizzle 1 option 6 inner 0 cluster 5
    {{8192, 256, 768, false, true, false, false},
     {0x1f00000042, 0x100000023, 0x100000000, 0x5000000000006, 0x1fc3400000001, 0xe0000000e, 0x44000e000e, 0x0}},
    // 11.7 us, heuristic 12.2: id 66 tile 24 stages 35 split 1 reduction 0 swizzle 3 option 6 inner 0 cluster 5
    {{8192, 256, 1024, false, true, false, false},
     {0x1800000042, 0x100000023, 0x300000000, 0x5000000000006, 0x1fc3400000001, 0xe0000000e, 0x44000e000e, 0x0}},
    // 375.5 us, heuristic 455.6: id 66 tile 201 stages 35 split 1 reduction 0 swizzle 2 option 2 inner 0 cluster 3
    {{8192, 256, 50304, false, true, false, false},
     {0xc900000042, 0x100000023, 0x200000000, 0x3000000000002, 0x1fc3400000001, 0xe0000000e, 0x44000e000e, 0x0}},
    // 330.4 us, heuristic 349.8: id 66 tile 20 stages 35 split 1 reduction 0 swizzle 0 option 2 inner 0 cluster 2
    {{8192, 50304, 256, false, false, false, false},
     {0x1400000042, 0x100000023, 0x0, 0x2000000000002, 0x1fc3400000001, 0xe0000000e, 0x44000e000e, 0x0}},
    // 27.1 us, heuristic 31.9: id 66 tile 321 stages 35 split 1 reduction 0 swizzle 3 option 3 inner 0 cluster 6
    {{32768, 8, 384, false, false, false, true},
     {0x14100000042, 0x100000023, 0x300000000, 0x6000000000003, 0x1fc3400000001, 0xe0000000e, 0x44000e000e, 0x0}},
    // 11.2 us, heuristic 11.8: id 66 tile 36 stages 35 split 1 reduction 0 swizzle 0 option 4 inner 0 cluster 2
    {{32768, 384, 8, false, true, false, false},
     {0x2400000042, 0x100000023, 0x0, 0x2000000000004, 0x1fc3400000001, 0xe0000000e, 0x44000e000e, 0x0}},
    // 23.5 us, heuristic 24.7: id 66 tile 407 stages 35 split 1 reduction 0 swizzle 3 option 3 inner 0 cluster 2
    {{32768, 384, 384, false, false, false, false},
     {0x19700000042, 0x100000023, 0x300000000, 0x2000000000003, 0x1fc3400000001, 0xe0000000e, 0x44000e000e, 0x0}},
    // 23.5 us, heuristic 24.7: id 66 tile 407 stages 35 split 1 reduction 0 swizzle 2 option 3 inner 0 cluster 5
    {{32768, 384, 384, false, true, false, false},
     {0x19700000042, 0x100000023, 0x200000000, 0x5000000000003, 0x1fc3400000001, 0xe0000000e, 0x44000e000e, 0x0}},
    // 49.8 us, heuristic 61.9: id 66 tile 184 stages 35 split 1 reduction 0 swizzle 2 option 2 inner 0 cluster 5
    {{32768, 384, 1152, false, true, false, false},
     {0xb800000042, 0x100000023, 0x200000000, 0x5000000000002, 0x1fc3400000001, 0xe0000000e, 0x44000e000e, 0x0}},
    // 63.8 us, heuristic 79.5: id 66 tile 409 stages 35 split 1 reduction 0 swizzle 1 option 1 inner 0 cluster 3
    {{32768, 384, 1536, false, true, false, false},
     {0x19900000042, 0x100000023, 0x100000000, 0x3000000000001, 0x1fc3400000001, 0xe0000000e, 0x44000e000e, 0x0}},
    // 1914.2 us, heuristic 2415.5: id 66 tile 201 stages 35 split 1 reduction 0 swizzle 1 option 2 inner 0 cluster 3
    {{32768, 384, 50304, false, true, false, false},
     {0xc900000042, 0x100000023, 0x100000000, 0x3000000000002, 0x1fc3400000001, 0xe0000000e, 0x44000e000e, 0x0}},
    // 47.8 us, heuristic 51.9: id 66 tile 407 stages 35 split 1 reduction 0 swizzle 3 option 3 inner 0 cluster 5
    {{32768, 1152, 384, false, false, false, false},
     {0x19700000042, 0x100000023, 0x300000000, 0x5000000000003, 0x1fc3400000001, 0xe0000000e, 0x44000e000e, 0x0}},
    // 62.7 us, heuristic 68.6: id 66 tile 407 stages 35 split 1 reduction 0 swizzle 2 option 3 inner 0 cluster 5
    {{32768, 1536, 384, false, false, false, false},
     {0x19700000042, 0x100000023, 0x200000000, 0x5000000000003, 0x1fc3400000001, 0xe0000000e, 0x44000e000e, 0x0}},
};
// clang-format on

}  // namespace

const PinnedProducts& pinned_products() {
  static const PinnedProducts table{.version = 130100, .capability = 90, .multiprocessors = 132, .products = pinned};
  return table;
}

}  // namespace absorb
