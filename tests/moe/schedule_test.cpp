// How a grouped weight gradient is dealt out, checked on the host: every step of every tile is done once, by shares of
// equal length, and its sums are where the second launch looks for them.
#include "moe/cuda/grouped/schedule.cuh"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <utility>
#include <vector>

namespace absorb::kernels::schedule {
namespace {

struct Line {
  std::vector<int> first;
  int tiles;

  int total() const { return first.back(); }
};

Line line_of(const std::vector<int>& rows, int tiles) {
  Line line{{0}, tiles};
  for (const int r : rows) line.first.push_back(line.first.back() + steps_of(r, 64) * tiles);
  return line;
}

const std::vector<std::vector<int>> routings = {{64, 64, 64}, {0, 1000, 0}, {1, 0, 63, 65, 5000}, {8192, 8192}, {3}};

TEST(GroupedSchedule, SharesCoverEveryStepOnce) {
  for (const auto& rows : routings)
    for (const int tiles : {1, 9})
      for (const int shares : {1, 5, 132}) {
        const Line line = line_of(rows, tiles);
        std::map<std::pair<int, int>, std::set<int>> done;
        int steps = 0;
        for (int share = 0; share < shares; ++share) {
          const int begin = share_begin(line.total(), share, shares);
          const int end = share_begin(line.total(), share + 1, shares);
          EXPECT_LE(end - begin, (line.total() + shares - 1) / shares);
          for (int at = begin; at < end;) {
            const Piece piece = piece_at(line.first.data(), tiles, at, end);
            ASSERT_LT(piece.begin, piece.end);
            EXPECT_EQ(piece.steps, steps_of(rows[static_cast<std::size_t>(piece.expert)], 64));
            const int start = rotation(piece, end - begin);
            EXPECT_TRUE(start >= piece.begin && start < piece.end);
            for (int step = piece.begin; step < piece.end; ++step) done[{piece.expert, piece.tile}].insert(step);
            EXPECT_EQ(share_of(at, line.total(), shares), share);
            steps += piece.end - piece.begin;
            at += piece.end - piece.begin;
          }
        }
        EXPECT_EQ(steps, line.total());
        for (std::size_t e = 0; e < rows.size(); ++e)
          for (int tile = 0; tile < tiles && rows[e] > 0; ++tile)
            EXPECT_EQ(static_cast<int>(done[std::make_pair(static_cast<int>(e), tile)].size()), steps_of(rows[e], 64));
      }
}

TEST(GroupedSchedule, PartsOfATileLieInDifferentPlaces) {
  const Line line = line_of({1000, 0, 777}, 4);
  const int shares = 7;
  std::set<int> places;
  int parts = 0;
  for (int share = 0; share < shares; ++share) {
    const int end = share_begin(line.total(), share + 1, shares);
    for (int at = share_begin(line.total(), share, shares); at < end;) {
      const Piece piece = piece_at(line.first.data(), 4, at, end);
      if (!piece.whole()) {
        places.insert(partial_place(share, piece.begin == 0));
        ++parts;
      }
      at += piece.end - piece.begin;
    }
  }
  EXPECT_EQ(static_cast<int>(places.size()), parts);
  EXPECT_LT(*places.rbegin(), 2 * shares);
}

}  // namespace
}  // namespace absorb::kernels::schedule
