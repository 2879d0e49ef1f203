// The trainer on a problem whose answer is known, its schedule, its optimiser and its checkpoints.
#include <gtest/gtest.h>
#include <torch/types.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "training/checkpoint.h"
#include "training/loop.h"
#include "training/metrics.h"

namespace absorb {
namespace {

struct Folder {
  Path path;
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "absorb-training-XXXXXX").string();
    path = ::mkdtemp(name.data());
  }
  ~Folder() { std::filesystem::remove_all(path); }
};

// Next-token prediction of a fixed cycle by a table of logits: learnable to nearly 0.
class Cycle final : public Dataset {
 public:
  Batch batch(uint64_t seed, int64_t step, int64_t size, int64_t offset, int64_t) const override {
    Tensor tokens = at::empty({size, 8}, at::kLong);
    for (int64_t row = 0; row < size; ++row) {
      Random random(stream_key(seed, "row"), static_cast<uint64_t>(step * 1000 + offset + row));
      const auto start = static_cast<int64_t>(random.below(5));
      for (int64_t t = 0; t < 8; ++t) tokens[row][t] = (start + t) % 5;
    }
    return {tokens, (tokens + 1).remainder(5)};
  }
  int64_t evaluation_batches(Split, int64_t) const override { return 2; }
  Batch evaluation(Split, int64_t index, int64_t size) const override { return batch(99, index, size, 0, 0); }
  int64_t rows(Split, int64_t, int64_t size) const override { return size; }
  Tensor document_ids(Split, int64_t index, int64_t size) const override {
    return at::full({size, 8}, index, at::kLong);
  }
  int64_t context() const override { return 8; }
  int64_t vocabulary() const override { return 5; }
  int64_t tokens(Split) const override { return 0; }
  double bytes_per_token(Split) const override { return 0; }
  std::string hash() const override { return "cycle"; }
  std::string describe() const override { return "cycle"; }
};

struct Setting {
  Parameters parameters{1};
  Tensor table = parameters.add("table", {5, 5}, Init::normal(1), {0, Part::q, 0});
  Tensor frozen = parameters.frozen().add("frozen", {5}, Init::normal(1), {0, Part::attention_router, 0});
  Cycle data;
  TrainingSettings settings;
  TokenLosses losses = [this](const Batch& batch, Pass& pass) {
    const Tensor logits = at::embedding(table, batch.tokens) + frozen * 0.01;
    const Tensor noisy = pass.dropout(logits, 0.1, "test");
    return at::cross_entropy_loss(noisy.view({-1, 5}), batch.targets.reshape({-1}), {}, at::Reduction::None, -1)
        .view(batch.tokens.sizes());
  };
  Setting() {
    settings.steps = 60;
    settings.batch = 4;
    settings.learning_rate = 0.1;
    settings.warmup = 5;
    settings.weight_decay = 0;
    settings.checkpoint_every = 10;
    settings.evaluate_every = 20;
    parameters.gather(at::kCPU);
  }
  LoopResult train_in(const Path& folder, int64_t interrupt_at = -1) {
    Trainer trainer(parameters, losses, settings, 7);
    LoopHooks hooks;
    hooks.complain = [](const std::string&) {};
    hooks.interrupted = [&] { return trainer.steps_done() == interrupt_at; };
    return train(trainer, losses, data, settings, 7, folder, at::kCPU, hooks);
  }
};

TEST(TrainingLoop, LearnsAndLeavesFrozenParametersAlone) {
  const Folder folder;
  Setting s;
  const Tensor before = s.frozen.clone();
  EXPECT_EQ(s.train_in(folder.path).end, LoopEnd::done);
  EXPECT_LT(evaluate(s.losses, s.data, {Split::valid, 4, 0, 7}, at::kCPU).loss, 0.1);
  EXPECT_TRUE(at::equal(before, s.frozen));
}

TEST(TrainingLoop, GoesOnFromACheckpointBitForBit) {
  const Folder whole, cut;
  Setting a, b, c;
  a.train_in(whole.path);
  EXPECT_EQ(b.train_in(cut.path, 23).end, LoopEnd::interrupted);
  EXPECT_EQ(c.train_in(cut.path).end, LoopEnd::done);
  EXPECT_TRUE(at::equal(a.parameters.flat(), c.parameters.flat()));
  EXPECT_EQ(read_file(whole.path / "metrics.jsonl"), read_file(cut.path / "metrics.jsonl"));
}

TEST(TrainingLoop, InterruptedAtEveryStepIsTheSameAsNever) {
  const Folder whole;
  Setting a;
  a.settings.steps = 14;
  a.settings.checkpoint_every = 5;
  a.train_in(whole.path);
  for (int64_t at = 1; at < a.settings.steps; ++at) {
    const Folder cut;
    Setting first, second;
    first.settings = second.settings = a.settings;
    ASSERT_EQ(first.train_in(cut.path, at).end, LoopEnd::interrupted) << at;
    ASSERT_EQ(second.train_in(cut.path).end, LoopEnd::done) << at;
    EXPECT_TRUE(at::equal(a.parameters.flat(), second.parameters.flat())) << at;
    EXPECT_EQ(read_file(whole.path / "metrics.jsonl"), read_file(cut.path / "metrics.jsonl")) << at;
  }
}

TEST(TrainingLoop, MetricsThatChangedSinceTheCheckpointAreNotGoneOnFrom) {
  const Folder whole, cut;
  Setting a, b, c;
  for (Setting* s : {&a, &b, &c}) {
    s->settings.steps = 14;
    s->settings.checkpoint_every = 5;
  }
  a.train_in(whole.path);
  ASSERT_EQ(b.train_in(cut.path, 12).end, LoopEnd::interrupted);
  std::string text = read_file(cut.path / "metrics.jsonl");
  const std::size_t digit = text.find("\"loss\":") + 9;
  text[digit] = text[digit] == '7' ? '8' : '7';
  write_file(cut.path / "metrics.jsonl", text);
  ASSERT_EQ(c.train_in(cut.path).end, LoopEnd::done);
  EXPECT_EQ(read_file(whole.path / "metrics.jsonl"), read_file(cut.path / "metrics.jsonl"));
}

// A state that counts what it saw moves by the step, however the step is cut.
TEST(TrainingLoop, StatesMoveOnceAStep) {
  for (const int64_t accumulate : {1, 4}) {
    const Folder folder;
    Setting s;
    s.settings.steps = 3;
    s.settings.accumulate = accumulate;
    std::vector<std::size_t> seen;
    const TokenLosses inner = s.losses;
    s.losses = [&](const Batch& batch, Pass& pass) {
      for (const char* site : {"blocks.0.experts", "blocks.1.experts"})
        if (pass.in.training)
          pass.out.after_step.push_back(
              {site, std::make_shared<const int>(1),
               [&seen](std::span<const AfterStep::Seen> all) { seen.push_back(all.size()); }});
      return inner(batch, pass);
    };
    s.train_in(folder.path);
    EXPECT_EQ(seen, std::vector<std::size_t>(6, static_cast<std::size_t>(accumulate)));
  }
}

TEST(TrainingLoop, AccumulationIsTheLargerBatch) {
  const Folder one, two;
  Setting a, b;
  for (Setting* s : {&a, &b})
    s->losses = [s](const Batch& batch, Pass&) {
      return at::cross_entropy_loss(at::embedding(s->table, batch.tokens).view({-1, 5}), batch.targets.reshape({-1}),
                                    {}, at::Reduction::None, -1)
          .view(batch.tokens.sizes());
    };
  b.settings.accumulate = 2;
  a.train_in(one.path);
  b.train_in(two.path);
  EXPECT_TRUE(at::allclose(a.parameters.flat(), b.parameters.flat(), 1e-4, 1e-5));
}

TEST(TrainingLoop, StopsAtALossThatIsNotFinite) {
  const Folder folder;
  Setting s;
  s.settings.learning_rate = 0;
  const TokenLosses fine = s.losses;
  int calls = 0;
  s.losses = [&](const Batch& batch, Pass& pass) { return fine(batch, pass) * (++calls == 9 ? NAN : 1.0); };
  const LoopResult result = s.train_in(folder.path);
  EXPECT_EQ(result.end, LoopEnd::not_finite);
  EXPECT_EQ(result.step, 9);
}

TEST(TrainingCheckpoint, ABrokenOneIsNamedAndTheOneBeforeItUsed) {
  const Folder folder;
  Setting s;
  s.train_in(folder.path, 23);
  const Path newest = folder.path / "checkpoints" / "step-00000023" / "model.safetensors";
  ASSERT_TRUE(std::filesystem::exists(newest));
  std::filesystem::resize_file(newest, std::filesystem::file_size(newest) - 3);
  std::string complaint;
  const Checkpoint found = read_checkpoint(folder.path, [&](const std::string& line) { complaint = line; });
  EXPECT_EQ(found.step, 20);
  EXPECT_NE(complaint.find("step-00000023/model.safetensors"), std::string::npos) << complaint;
}

TEST(TrainingCheckpoint, OneWhoseRecordIsDamagedIsNamedAndTheOneBeforeItUsed) {
  const Folder folder;
  Setting s;
  s.train_in(folder.path, 23);
  const Path record = folder.path / "checkpoints" / "step-00000023" / "checkpoint.json";
  for (const char* damage :
       {"{}", "[]", "{\"step\": 23", "{\"step\": \"23\", \"hashes\": {}}", "{\"step\": 23, \"hashes\": []}"}) {
    write_file(record, damage);
    std::string complaint;
    const Checkpoint found = read_checkpoint(folder.path, [&](const std::string& line) { complaint = line; });
    EXPECT_EQ(found.step, 20) << damage;
    EXPECT_NE(complaint.find("step-00000023/checkpoint.json"), std::string::npos) << complaint;
  }
}

TEST(TrainingLoop, ResumesBeforeADamagedLineOfMetrics) {
  const Folder whole, damaged;
  Setting a, b, c;
  a.train_in(whole.path);
  b.train_in(damaged.path, 23);
  const Path file = damaged.path / "metrics.jsonl";
  std::string text = read_file(file);
  const std::size_t line = text.find("\"step\":22");
  ASSERT_NE(line, std::string::npos);
  write_file(file, text.replace(line, 9, "\"stop\":22"));
  EXPECT_EQ(whole_steps(file), 20);
  c.train_in(damaged.path);
  EXPECT_EQ(read_file(file), read_file(whole.path / "metrics.jsonl"));
  EXPECT_TRUE(at::equal(a.parameters.flat(), c.parameters.flat()));
}

TEST(TrainingCheckpoint, KeepsTheTwoNewest) {
  const Folder folder;
  Setting s;
  s.train_in(folder.path);
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path / "checkpoints"))
    names.insert(entry.path().filename());
  EXPECT_EQ(names, (std::set<std::string>{"step-00000050", "step-00000060"}));
}

TEST(TrainingMetrics, DropATornLineAndWhatComesAfterTheCheckpoint) {
  const Folder folder;
  const Path file = folder.path / "m.jsonl";
  std::ofstream(file) << "{\"step\":1}\n{\"step\":2}\n{\"step\":3}\n{\"st";
  EXPECT_EQ(read_metrics(file).size(), 3u);
  Metrics metrics(file, 2);
  metrics.write({{"step", 3}, {"loss", 0.1}});
  metrics.flush();
  EXPECT_EQ(read_file(file), "{\"step\":1}\n{\"step\":2}\n{\"loss\":0.1,\"step\":3}\n");
}

TEST(TrainingSchedule, WarmsUpDecaysAndBranches) {
  TrainingSettings s;
  s.steps = 100;
  s.warmup = 10;
  s.learning_rate = 1;
  EXPECT_NEAR(learning_rate(s, 1), 0.1, 1e-12);
  EXPECT_NEAR(learning_rate(s, 10), 1, 1e-12);
  EXPECT_NEAR(learning_rate(s, 55), 0.5, 1e-12);
  EXPECT_NEAR(learning_rate(s, 100), 0, 1e-12);
  s.schedule = "constant";
  EXPECT_EQ(learning_rate(s, 100), 1);
  s.decay = 20;
  EXPECT_EQ(learning_rate(s, 80), 1);
  EXPECT_NEAR(learning_rate(s, 90), 0.5, 1e-12);
  EXPECT_NEAR(learning_rate(s, 100), 0, 1e-12);
  s.schedule = "wsd";
  EXPECT_NEAR(learning_rate(s, 90), 0.5, 1e-12);
  s.decay = 0;  // a tenth
  EXPECT_EQ(learning_rate(s, 90), 1);
  EXPECT_NEAR(learning_rate(s, 95), 0.5, 1e-12);
}

TEST(TrainingAdamW, IsItsFormula) {
  const Parameters parameters(1, at::kDouble);
  const Tensor x = parameters.add("x", {3}, Init::normal(1), {});
  parameters.gather(at::kCPU);
  TrainingSettings s;
  s.clip = 0.5;
  AdamW adamw(parameters, s);
  Tensor value = x.detach().clone(), m = at::zeros({3}, at::kDouble), v = at::zeros({3}, at::kDouble);
  at::NoGradGuard no_grad;
  for (int step = 1; step <= 5; ++step) {
    const Tensor g = at::tensor({1.0 * step, -2.0, 0.5}, at::kDouble);
    parameters.flat_gradient().copy_(g);
    adamw.prepare(step);
    EXPECT_NEAR(adamw.step(0.01, {}).item<double>(), g.norm().item<double>(), 1e-12);
    const Tensor c = g * std::min(1.0, 0.5 / (g.norm().item<double>() + 1e-6));
    value = value * (1 - 0.01 * s.weight_decay);
    m = m * s.beta1 + c * (1 - s.beta1);
    v = v * s.beta2 + c * c * (1 - s.beta2);
    value =
        value - 0.01 * (m / (1 - std::pow(s.beta1, step))) / ((v / (1 - std::pow(s.beta2, step))).sqrt() + s.epsilon);
  }
  EXPECT_TRUE(at::allclose(x, value, 1e-6, 1e-7));  // the step counter is float32
}

}  // namespace
}  // namespace absorb
