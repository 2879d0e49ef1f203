#include "training/data/tasks/mixture.h"

#include <torch/types.h>

#include <map>
#include <set>
#include <vector>

#include "tests/training/data/data_fixture.h"
#include "training/data/settings.h"

namespace absorb {
namespace {

std::vector<int64_t> numbers(const Tensor& row) {
  const Tensor flat = row.contiguous();
  return {flat.const_data_ptr<int64_t>(), flat.const_data_ptr<int64_t>() + flat.numel()};
}

TEST(TrainingTasks, RecallAnswersWithTheValueThatWasShown) {
  const auto task = make_recall({}, 1);
  ASSERT_EQ(task->context(), 32);
  ASSERT_EQ(task->vocabulary(), 84);
  const Batch batch = task->batch(1, 0, 200, 0, 0);
  std::map<int64_t, int> values, firsts, asked_first;
  for (int64_t row = 0; row < 200; ++row) {
    const auto tokens = numbers(batch.tokens[row]), targets = numbers(batch.targets[row]);
    std::map<int64_t, int64_t> shown;
    for (std::size_t i = 0; i < 16; ++i) {
      EXPECT_EQ(targets[i], -1);
      ASSERT_LT(tokens[i], 64);
      shown[tokens[i] / 4] = tokens[i] % 4;
      ++values[tokens[i] % 4];
    }
    EXPECT_EQ(shown.size(), 16u);
    std::set<int64_t> asked;
    for (std::size_t i = 16; i < 32; ++i) {
      ASSERT_TRUE(tokens[i] >= 64 && tokens[i] < 80) << tokens[i];
      EXPECT_EQ(targets[i], 80 + shown.at(tokens[i] - 64));
      asked.insert(tokens[i]);
    }
    EXPECT_EQ(asked.size(), 16u);
    ++firsts[tokens[0] / 4];
    ++asked_first[tokens[16]];
  }
  for (const auto& [value, count] : values) EXPECT_NEAR(count, 800, 125) << value;  // 5 sd
  EXPECT_EQ(firsts.size(), 16u);
  EXPECT_EQ(asked_first.size(), 16u);
}

TEST(TrainingTasks, IndependentAnswersSayNothingOfTheInput) {
  RecallSettings data;
  data.independent = true;
  const auto task = make_recall(data, 1);
  const Batch batch = task->batch(1, 0, 200, 0, 0);
  int right = 0;
  for (int64_t row = 0; row < 200; ++row) {
    const auto tokens = numbers(batch.tokens[row]), targets = numbers(batch.targets[row]);
    std::map<int64_t, int64_t> shown;
    for (std::size_t i = 0; i < 16; ++i) shown[tokens[i] / 4] = tokens[i] % 4;
    for (std::size_t i = 16; i < 32; ++i) right += targets[i] == 80 + shown.at(tokens[i] - 64);
  }
  EXPECT_NEAR(right, 800, 125);  // chance is a quarter of 3,200; 5 sd
}

// Read off a few hundred sequences: what a symbol means at a position is one code of the seed, and codes differ.
TEST(TrainingTasks, CodesAreOneOfTheSeedAtEachPosition) {
  for (const char* asked : {"each", "last"}) {
    const bool at_last = asked == std::string("last");
    const auto task = make_codes({.positions = 8, .values = 4, .asked = asked}, 3);
    ASSERT_EQ(task->context(), at_last ? 9 : 8);
    ASSERT_EQ(task->vocabulary(), 9);
    const Batch batch = task->batch(3, 0, 400, 0, 0);
    std::map<std::pair<std::size_t, int64_t>, int64_t> meaning;  // (position, symbol) -> answer
    for (int64_t row = 0; row < 400; ++row) {
      const auto tokens = numbers(batch.tokens[row]), targets = numbers(batch.targets[row]);
      if (at_last) EXPECT_EQ(tokens[8], 4);
      for (std::size_t p = 0; p < 8; ++p) {
        ASSERT_LT(tokens[p], 4);
        if (at_last) EXPECT_EQ(targets[p], -1);
        const int64_t answer = at_last ? targets[8] : targets[p];
        ASSERT_TRUE(answer >= 5 && answer < 9) << answer;
        EXPECT_EQ(meaning.try_emplace({p, tokens[p]}, answer).first->second, answer);
      }
    }
    std::set<std::vector<int64_t>> codes;
    for (std::size_t p = 0; p < 8; ++p) {
      std::vector<int64_t> code;
      for (int64_t symbol = 0; symbol < 4; ++symbol) code.push_back(meaning.at({p, symbol}));
      EXPECT_EQ(std::set<int64_t>(code.begin(), code.end()).size(), 4u);  // a permutation
      codes.insert(code);
    }
    EXPECT_GT(codes.size(), 4u);
    // Another seed's draws are the same but for its codes.
    EXPECT_FALSE(at::equal(make_codes({.positions = 8, .values = 4, .asked = asked}, 4)->batch(3, 0, 9, 0, 0).tokens,
                           task->batch(3, 0, 9, 0, 0).tokens));
  }
}

TEST(TrainingTasks, MixturesAreTheirTasksInProportion) {
  MixtureSettings data;
  data.of = {"codes", "recall"};
  data.codes = {.positions = 8, .values = 4, .sequences = 300};
  data.recall = {.pairs = 6, .values = 4, .sequences = 100};
  const auto task = make_mixture(data, 3);
  ASSERT_EQ(task->context(), 12);
  ASSERT_EQ(task->vocabulary(), 9 + 34);
  EXPECT_EQ(task->sequences(), 400);
  EXPECT_EQ(task->evaluation_batches(Split::valid, 100), 4);
  const Batch batch = task->batch(3, 0, 1000, 0, 0);
  int codes = 0;
  for (int64_t row = 0; row < 1000; ++row) {
    const auto tokens = numbers(batch.tokens[row]), targets = numbers(batch.targets[row]);
    const bool is_codes = tokens[0] < 9;
    codes += is_codes;
    for (std::size_t i = 0; i < 12; ++i) {
      if (is_codes) {
        EXPECT_LT(tokens[i], i < 8 ? 4 : 1);
        EXPECT_TRUE(i < 8 ? targets[i] >= 5 && targets[i] < 9 : targets[i] == -1) << i;
      } else {
        EXPECT_TRUE(i < 6 ? tokens[i] >= 9 && tokens[i] < 33 : tokens[i] >= 33 && tokens[i] < 39) << i;
        EXPECT_TRUE(i < 6 ? targets[i] == -1 : targets[i] >= 39 && targets[i] < 43) << i;
      }
    }
  }
  EXPECT_NEAR(codes, 750, 70);  // 5 sd
}

TEST(TrainingTasks, MixturesOfOneTaskAreRefused) {
  for (const char* of : {"[\"codes\"]", "[\"codes\", \"codes\"]", "[]"}) {
    const auto table = Settings::from_text(std::string("type = \"mixture\"\nof = ") + of, "study.toml");
    const std::string said = complaint([&] { make_source(read_data(table))->require_valid(); });
    EXPECT_TRUE(contains(said, "data.of has to name two tasks")) << said;
  }
}

TEST(TrainingTasks, RuleIsOneTableOfTheSeed) {
  const auto task = make_rule({}, 3);
  ASSERT_EQ(task->context(), 8);
  ASSERT_EQ(task->vocabulary(), 8 + 24 + 1 + 8);
  std::map<std::vector<int64_t>, int64_t> answers;
  std::map<int64_t, int> per_answer;
  for (int64_t step = 0; step < 8; ++step) {
    const Batch batch = task->batch(3, step, 500, 0, 0);
    for (int64_t row = 0; row < 500; ++row) {
      const auto tokens = numbers(batch.tokens[row]), targets = numbers(batch.targets[row]);
      ASSERT_LT(tokens[0], 8);
      for (std::size_t i = 0; i < 6; ++i) ASSERT_EQ((tokens[i + 1] - 8) / 4, static_cast<int64_t>(i));
      EXPECT_EQ(tokens[7], 32);
      for (std::size_t i = 0; i < 7; ++i) EXPECT_EQ(targets[i], -1);
      ASSERT_TRUE(targets[7] >= 33 && targets[7] < 41);
      const auto [known, added] = answers.try_emplace(tokens, targets[7]);
      EXPECT_EQ(known->second, targets[7]);  // the same sequence, the same answer
      ++per_answer[targets[7]];
    }
  }
  EXPECT_EQ(per_answer.size(), 8u);
  // Another seed has another table: given the same draws, other answers.
  EXPECT_TRUE(at::equal(make_rule({}, 4)->batch(3, 0, 500, 0, 0).tokens, task->batch(3, 0, 500, 0, 0).tokens));
  const Tensor same = make_rule({}, 4)->batch(3, 0, 500, 0, 0).targets.select(1, 7) ==
                      task->batch(3, 0, 500, 0, 0).targets.select(1, 7);
  EXPECT_LT(same.sum().item<int64_t>(), 150);
}

// The answer is an argmax of sums: a linear model per class, fitted on the one-hot attributes, must reach far beyond
// one that doesn't know the class.
TEST(TrainingTasks, RuleNeedsTheClass) {
  RuleSettings data;
  data.classes = 4;
  const auto task = make_rule(data, 5);
  const Batch batch = task->batch(5, 0, 16'000, 0, 0);
  const Tensor answer = at::one_hot(batch.targets.select(1, 7) - (4 + 24 + 1), 8).to(at::kDouble);
  const Tensor attributes = at::one_hot(batch.tokens.slice(1, 1, 7) - 4, 24).sum(1).to(at::kDouble);
  const auto accuracy = [&](const Tensor& rows) {
    const Tensor x = attributes.index_select(0, rows), y = answer.index_select(0, rows);
    const Tensor ridge = at::mm(x.t(), x) + at::eye(24, at::kDouble);
    const Tensor guess = at::mm(x, at::linalg_solve(ridge, at::mm(x.t(), y))).argmax(1);
    return (guess == y.argmax(1)).to(at::kDouble).mean().item<double>();
  };
  const double blind = accuracy(at::arange(16'000));
  const double knowing = accuracy((batch.tokens.select(1, 0) == 2).nonzero().squeeze(1));
  EXPECT_GT(knowing, 0.7);
  EXPECT_GT(knowing, blind + 0.2) << blind;
}

TEST(TrainingTasks, BatchesAreAPureFunctionAndHeldOutSequencesAreApart) {
  for (const auto& task : {make_recall({}, 1), make_rule({}, 1)}) {
    const Batch batch = task->batch(1, 5, 8, 0, 0);
    EXPECT_TRUE(
        at::equal(at::cat({task->batch(1, 5, 3, 0, 0).tokens, task->batch(1, 5, 5, 3, 0).tokens}), batch.tokens));
    EXPECT_FALSE(at::equal(task->batch(1, 6, 8, 0, 0).tokens, batch.tokens));
    EXPECT_FALSE(at::equal(task->batch(2, 5, 8, 0, 0).tokens, batch.tokens));
    const Tensor train = task->batch(1, 0, 64, 0, 0).tokens;
    EXPECT_FALSE(at::equal(train, task->evaluation(Split::valid, 0, 64).tokens));
    EXPECT_FALSE(at::equal(task->evaluation(Split::test, 0, 64).tokens, task->evaluation(Split::valid, 0, 64).tokens));
    EXPECT_TRUE(at::equal(task->evaluation(Split::valid, 1, 64).tokens, task->evaluation(Split::valid, 1, 64).tokens));
  }
}

TEST(TrainingTasks, EvaluationCoversTheHeldOutSequencesOnce) {
  RecallSettings data;
  data.sequences = 100;
  const auto task = make_recall(data, 1);
  EXPECT_EQ(task->evaluation_batches(Split::train, 64), 0);
  ASSERT_EQ(task->evaluation_batches(Split::valid, 64), 2);
  std::set<int64_t> sequences;
  int64_t targets = 0;
  for (int64_t index = 0; index < 2; ++index) {
    const Batch batch = task->evaluation(Split::valid, index, 64);
    const Tensor ids = task->document_ids(Split::valid, index, 64);
    EXPECT_TRUE(at::equal(ids >= 0, batch.targets >= 0));
    targets += (batch.targets >= 0).sum().item<int64_t>();
    for (const int64_t id : numbers(ids)) sequences.insert(id);
  }
  EXPECT_EQ(targets, 1600);
  EXPECT_EQ(sequences.size(), 101u);  // and -1
  EXPECT_EQ(*sequences.rbegin(), 99);
}

}  // namespace
}  // namespace absorb
