// Second half of every gradient that sums over rows: kernels leave partial sums of columns, and this adds them up in
// one order, so that the same inputs give the same bits. A backward pass may keep the descriptions of its sums and do
// all of them in one launch at its end.
#pragma once

#include <cstdint>

namespace absorb::kernels {

/// For each segment s and column c: out[s][c] += sum over p of partials[p][c]. Without `ends` there is one segment, of
/// all `count` partials. With it, segment s has the rows [ends[s-1], ends[s]), and its partials are those with
/// p = s + r / rows_per_partial for one of its rows r.
struct ColumnSums {
  const float* partials = nullptr;  // [count, width]
  int64_t count = 0, width = 0;     // the width is a multiple of 4
  float* out = nullptr;             // [segments, width]
  int64_t segments = 1;
  const int32_t* ends = nullptr;  // [segments] on the device
  int64_t rows_per_partial = 0;
  // Where the columns belong to three tensors of width / 3 columns each (null: not wanted); `out` is null then.
  float* thirds[3] = {nullptr, nullptr, nullptr};
};

/// One launch for each 24 jobs. Their outputs don't overlap.
void add_column_sums(const ColumnSums* jobs, int64_t count, void* stream);

}  // namespace absorb::kernels
