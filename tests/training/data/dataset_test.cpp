#include "training/data/dataset.h"

#include <torch/types.h>

#include <cmath>
#include <map>
#include <set>

#include "tests/training/data/data_fixture.h"
#include "training/data/tokeniser/text_settings.h"
#include "training/data/tokens/permutation.h"
#include "training/data/tokens/tokens.h"
#include "training/data/vocabulary.h"

namespace absorb {
namespace {

class TrainingDataset : public DataFixture {
 protected:
  /// Tokens 0, 1, 2, ... so that a window shows where it was cut.
  TokensSettings counting(int train, int valid) const {
    const auto count_to = [](int count) {
      std::vector<uint16_t> ids;
      for (int i = 0; i < count; ++i) ids.push_back(static_cast<uint16_t>(i));
      return ids;
    };
    TokensSettings data;
    data.vocabulary = 1000;
    data.train = put_ids("train.bin", count_to(train));
    data.valid = put_ids("valid.bin", count_to(valid));
    return data;
  }
  TokensSettings permuted_counting() const {
    TokensSettings data = counting(995, 100);
    data.order = "permuted";
    return data;
  }
  static std::shared_ptr<const Dataset> open(const TokensSettings& data, int64_t context, uint64_t seed) {
    return make_dataset(data_of("tokens", data), context, seed);
  }
  static std::shared_ptr<const Dataset> open(const TextSettings& data, int64_t context, uint64_t seed) {
    return make_dataset(data_of("text", data), context, seed);
  }
};

TEST_F(TrainingDataset, BatchesAreAPureFunctionOfSeedStepAndRow) {
  const auto data = open(counting(1000, 100), 8, 0);
  const Batch batch = data->batch(1, 7, 16);
  EXPECT_EQ(batch.tokens.sizes(), (std::vector<int64_t>{16, 8}));
  EXPECT_TRUE(at::equal(batch.targets, batch.tokens + 1));
  EXPECT_TRUE(at::equal(open(counting(1000, 100), 8, 0)->batch(1, 7, 16).tokens, batch.tokens));
  const Batch first = data->batch(1, 7, 10, 0), second = data->batch(1, 7, 6, 10);
  EXPECT_TRUE(at::equal(at::cat({first.tokens, second.tokens}), batch.tokens));
  EXPECT_TRUE(at::equal(at::cat({first.targets, second.targets}), batch.targets));
  EXPECT_FALSE(at::equal(data->batch(1, 8, 16).tokens, batch.tokens));
  EXPECT_FALSE(at::equal(data->batch(2, 7, 16).tokens, batch.tokens));
}

TEST(TrainingPermutation, IsABijectionOfEverySize) {
  for (const int64_t size : {1, 2, 3, 4, 5, 17, 64, 1000, 4097}) {
    std::vector<int> hits(static_cast<size_t>(size), 0);
    for (int64_t i = 0; i < size; ++i) ++hits.at(static_cast<size_t>(permuted(i, size, 9, 2)));
    EXPECT_EQ(std::ranges::count(hits, 1), size);
  }
}

// Of 64 numbers: where 0 goes, and whether neighbours stay neighbours, over 20,000 permutations (4 standard errors).
TEST(TrainingPermutation, LooksRandom) {
  constexpr int64_t size = 64, draws = 20'000;
  std::vector<double> first(size, 0);
  double neighbours = 0;
  for (uint64_t which = 0; which < draws; ++which) {
    const int64_t a = permuted(0, size, 5, which), b = permuted(1, size, 5, which);
    first[static_cast<size_t>(a)] += 1;
    neighbours += std::abs(a - b) == 1 ? 1 : 0;
  }
  double chi2 = 0;
  for (const double count : first) chi2 += std::pow(count - draws / 64.0, 2) / (draws / 64.0);
  EXPECT_LT(chi2, 63 + 4 * std::sqrt(2 * 63.0));
  const double p = 2.0 * 63 / (64 * 63);
  EXPECT_NEAR(neighbours / draws, p, 4 * std::sqrt(p * (1 - p) / draws));
}

TEST_F(TrainingDataset, PermutedTakesEveryTokenOnceAnEpoch) {
  const auto data = open(permuted_counting(), 8, 0);  // 124 chunks of 8, 2 tokens left over
  for (const int64_t epoch : {0, 1, 7}) {
    std::map<int64_t, int> seen;
    for (int64_t step = 31 * epoch + 1; step <= 31 * (epoch + 1); ++step) {
      const Tensor starts = data->batch(3, step, 4).tokens.select(1, 0).contiguous();
      for (int64_t row = 0; row < 4; ++row) ++seen[starts.const_data_ptr<int64_t>()[row]];
    }
    ASSERT_EQ(seen.size(), 124U) << epoch;
    const int64_t first = seen.begin()->first;
    EXPECT_LE(first, 2);
    int64_t expected = first;
    for (const auto& [start, times] : seen) {
      EXPECT_EQ(times, 1);
      EXPECT_EQ(start, expected);
      expected += 8;
    }
  }
}

TEST_F(TrainingDataset, PermutedIsTheSameInMicroBatchesAndOtherInOtherSeedsAndEpochs) {
  const auto data = open(permuted_counting(), 8, 0);
  const Batch whole = data->batch(3, 4, 10);
  EXPECT_TRUE(
      at::equal(at::cat({data->batch(3, 4, 6, 0, 10).tokens, data->batch(3, 4, 4, 6, 10).tokens}), whole.tokens));
  EXPECT_TRUE(at::equal(whole.targets.narrow(1, 0, 7), whole.tokens.narrow(1, 1, 7)));
  EXPECT_FALSE(at::equal(data->batch(4, 4, 10).tokens, whole.tokens));
  EXPECT_FALSE(at::equal(data->batch(3, 4 + 31, 4).tokens, data->batch(3, 4, 4).tokens));
}

TEST_F(TrainingDataset, EveryPlaceIsDrawnAndNoneBeyondTheEnd) {
  const auto data = open(counting(20, 100), 8, 0);
  std::map<int64_t, int> seen;
  const Tensor starts = data->batch(1, 0, 4800).tokens.select(1, 0).contiguous();
  for (int64_t i = 0; i < starts.numel(); ++i) ++seen[starts.const_data_ptr<int64_t>()[i]];
  EXPECT_EQ(seen.size(), 12u);  // 20 tokens, 9 in a window with its last target
  EXPECT_EQ(seen.rbegin()->first, 11);
  for (const auto& [start, count] : seen) EXPECT_NEAR(count, 400, 100) << start;  // 5 sd
}

TEST_F(TrainingDataset, EvaluationCountsEveryTokenOnce) {
  const auto data = open(counting(1000, 30), 8, 0);
  ASSERT_EQ(data->evaluation_batches(Split::valid, 3), 2);  // 29 targets, 4 chunks
  EXPECT_EQ(data->evaluation_batches(Split::test, 3), 0);
  std::vector<int64_t> targets;
  for (int64_t index = 0; index < 2; ++index) {
    const Batch batch = data->evaluation(Split::valid, index, 3);
    EXPECT_EQ(batch.tokens.sizes(), (std::vector<int64_t>{3, 8}));
    const Tensor counted = batch.targets >= 0;
    EXPECT_TRUE(at::equal(batch.targets.masked_select(counted), (batch.tokens + 1).masked_select(counted)));
    const Tensor kept = batch.targets.masked_select(counted);
    targets.insert(targets.end(), kept.const_data_ptr<int64_t>(), kept.const_data_ptr<int64_t>() + kept.numel());
  }
  std::vector<int64_t> expected;
  for (int64_t i = 1; i < 30; ++i) expected.push_back(i);
  EXPECT_EQ(targets, expected);
}

TEST_F(TrainingDataset, DocumentIdsBelongToTargets) {
  TokensSettings settings = counting(1000, 30);
  settings.valid = put_ids<uint16_t>("v.bin", {1, 2, 9, 3, 9, 9, 4, 5, 6, 7, 8, 1, 2});
  settings.end_of_document = 9;
  const auto data = open(settings, 5, 0);
  const Tensor ids = data->document_ids(Split::valid, 0, 4);
  const Tensor expected =
      at::tensor(std::vector<int64_t>{0, 0, 1, 1, 2, 3, 3, 3, 3, 3, 3, 3, -1, -1, -1, -1, -1, -1, -1, -1}, at::kLong);
  EXPECT_TRUE(at::equal(ids, expected.view({4, 5}))) << ids;
  EXPECT_TRUE(at::equal(ids >= 0, data->evaluation(Split::valid, 0, 4).targets >= 0));
}

TEST_F(TrainingDataset, TextGoesThroughTheCache) {
  std::string text;
  for (int i = 0; i < 500; ++i) text += "number " + std::to_string(i) + "\n\n";
  TextSettings settings;
  settings.corpus = put("a.txt", text);
  settings.valid_share = settings.test_share = 0.1;
  const auto data = open(settings, 16, 0);
  EXPECT_EQ(data->vocabulary(), 256);
  EXPECT_EQ(data->context(), 16);
  EXPECT_EQ(data->tokens(Split::train) + data->tokens(Split::valid) + data->tokens(Split::test),
            static_cast<int64_t>(text.size()) - 500);
  EXPECT_GT(data->evaluation_batches(Split::test, 4), 0);
  EXPECT_NEAR(data->bytes_per_token(Split::valid), 10.0 / 11.0, 0.02);
  EXPECT_TRUE(contains(data->describe(), "a.txt as bytes: vocabulary 256, train ")) << data->describe();
  const std::string hash = data->hash();
  EXPECT_EQ(open(settings, 32, 1)->hash(), hash);
  settings.split_salt = 1;
  EXPECT_NE(open(settings, 16, 0)->hash(), hash);
  // The cache is a folder of token files like any other.
  TokensSettings tokens;
  tokens.corpus = std::filesystem::directory_iterator(folder_ / "tokens")->path().string();
  EXPECT_EQ(open(tokens, 16, 0)->vocabulary(), 256);
}

TEST_F(TrainingDataset, WhatCannotBeOpenedIsOneLine) {
  TokensSettings data = counting(1000, 8);
  const auto fails = [&](int64_t context) { return complaint([&] { open(data, context, 0); }); };
  EXPECT_EQ(fails(7), "");
  EXPECT_TRUE(contains(fails(8), "valid.bin holds 8 tokens, too few for a context of 8")) << fails(8);
  data.vocabulary = 100;
  EXPECT_TRUE(contains(fails(4), "train.bin: token 100 at position 100 is beyond the vocabulary of 100")) << fails(4);
  data.valid.clear();
  EXPECT_TRUE(contains(fails(4), "set data.valid")) << fails(4);
  data.valid = (folder_ / "none.bin").string();
  EXPECT_TRUE(contains(fails(4), "none.bin doesn't exist")) << fails(4);
  data.corpus = folder_.string();
  EXPECT_TRUE(contains(fails(4), "exclude each other")) << fails(4);
}

TEST_F(TrainingDataset, TextThatCannotBeOpenedIsOneLine) {
  TextSettings data;
  data.corpus = put("a.txt", "a\n\nb\n\nc");
  data.valid_share = 0;
  const auto fails = [&] { return complaint([&] { open(data, 4, 0); }); };
  EXPECT_TRUE(contains(fails(), "set data.valid_share")) << fails();
  data.valid_share = data.test_share = 0.5;
  EXPECT_TRUE(contains(fails(), "leaves no training text")) << fails();
}

TEST_F(TrainingDataset, ATypeIsOneOfTheRegistry) {
  const auto read = [](const std::string& text) { return read_data(Settings::from_text(text, "study.toml")); };
  const auto fails = [&](const std::string& text) { return complaint([&] { read(text); }); };
  EXPECT_EQ(fails("type = 'wood'"),
            "study.toml:1:1: unknown data set \"wood\"; known: codes, imported, mixture, recall, rule, text, tokens");
  EXPECT_TRUE(
      contains(fails("type = 'recall'\npiars = 3"), "study.toml:2:1: unknown key `piars`; did you mean `pairs`?"));
  EXPECT_TRUE(contains(complaint([&] { make_dataset(read("type = 'recall'"), 31, 0); }), "needs a context of 32"));
}

// What runs were trained with, and their identity, holds every key of the first four types whatever the type is.
TEST_F(TrainingDataset, TheFirstTypesShareOneTable) {
  const auto keys = [](const std::string& text) {
    std::set<std::string> found;
    const Json table = write_data(read_data(Settings::from_text(text, "test")));
    for (const auto& [key, value] : table.items()) found.insert(key);
    return found;
  };
  const std::set<std::string> text = keys(""), recall = keys("type = 'recall'\ncorpus = 'a.txt'");
  EXPECT_EQ(text.size(), 25U);
  EXPECT_EQ(recall, text);
  const DataSettings data = read_data(Settings::from_text("type = 'rule'\nvalues = 3\ncorpus = 'a.txt'", "test"));
  EXPECT_EQ(write_data(data)["corpus"], "a.txt");
  EXPECT_EQ(stated_vocabulary(data), 8 + 6 * 3 + 1 + 8);
}

}  // namespace
}  // namespace absorb
