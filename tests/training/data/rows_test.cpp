// Rows that are no text: nobody who takes a mean over rows sees them.
#include <torch/types.h>

#include <numeric>

#include "tests/training/data/data_fixture.h"
#include "training/data/dataset.h"
#include "training/data/tokens/tokens.h"
#include "training/data/vocabulary.h"
#include "training/evaluate.h"

namespace absorb {
namespace {

class TrainingRows : public DataFixture {
 protected:
  std::shared_ptr<const Dataset> counting(int valid) const {
    std::vector<uint16_t> ids(1000), held_out(static_cast<std::size_t>(valid));
    std::iota(ids.begin(), ids.end(), 0);
    std::iota(held_out.begin(), held_out.end(), 0);
    TokensSettings data;
    data.vocabulary = 1000;
    data.train = put_ids("train.bin", ids);
    data.valid = put_ids("valid.bin", held_out);
    return make_dataset(data_of("tokens", data), 8, 0);
  }
};

TEST_F(TrainingRows, AreCountedToTheEndOfTheText) {
  const auto data = counting(21);  // 20 targets: chunks of 8, 8 and 4
  EXPECT_EQ(data->rows(Split::valid, 0, 2), 2);
  EXPECT_EQ(data->rows(Split::valid, 1, 2), 0);  // a part of one, and none
  EXPECT_EQ(data->rows(Split::valid, 0, 4), 2);
  EXPECT_EQ(counting(25)->rows(Split::valid, 0, 4), 3);
}

TEST_F(TrainingRows, AreAllThatAnObserverSeesAndEveryTargetStillCounts) {
  const auto data = counting(21);
  std::vector<int64_t> rows;
  const TokenLosses losses = [&](const Batch& batch, Pass&) {
    rows.push_back(batch.tokens.size(0));
    EXPECT_TRUE((batch.targets >= 0).all().item<bool>());
    return at::ones(batch.tokens.sizes());
  };
  observe(losses, *data, {Split::valid, 2, 0, 0}, at::kCPU);
  observe(losses, *data, {Split::valid, 4, 0, 0}, at::kCPU);
  EXPECT_EQ(rows, (std::vector<int64_t>{2, 2}));
  const TokenLosses all = [](const Batch& batch, Pass&) { return at::ones(batch.tokens.sizes()); };
  EXPECT_EQ(evaluate(all, *data, {Split::valid, 4, 0, 0}, at::kCPU).tokens, 20);
}

TEST_F(TrainingRows, OfATaskAreItsSequencesThoughFewTokensHaveATarget) {
  DataSettings recall;
  recall = read_data(Settings::from_text("type = 'recall'\nsequences = 6", "t"));
  const auto data = make_dataset(recall, 32, 1);
  EXPECT_EQ(data->rows(Split::valid, 0, 4), 4);
  EXPECT_EQ(data->rows(Split::valid, 1, 4), 2);
}

}  // namespace
}  // namespace absorb
