#include "training/data/tasks/task.h"

#include <fmt/format.h>
#include <torch/types.h>

#include "core/error.h"
#include "core/files.h"
#include "core/numbers.h"
#include "training/data/rows.h"

namespace absorb {

Batch Task::batch(uint64_t seed, int64_t step, int64_t size, int64_t offset, int64_t) const {
  const uint64_t key = stream_key(seed, name_ + ".train");
  Rows rows(size, context_);
  for (int64_t row = 0; row < size; ++row)
    draw(row_random(key, step, offset + row), rows.tokens(row), rows.targets(row));
  return rows.batch();
}

int64_t Task::evaluation_batches(Split split, int64_t size) const {
  return split == Split::train ? 0 : (sequences_ + size - 1) / size;
}

Batch Task::evaluation(Split split, int64_t index, int64_t size) const {
  check_index(split, index, size);
  const uint64_t key = stream_key(seed_, fmt::format("{}.{}", name_, split_name(split)));
  Rows rows(size, context_);
  for (int64_t row = 0; row < size && index * size + row < sequences_; ++row)
    draw(row_random(key, 0, index * size + row), rows.tokens(row), rows.targets(row));
  return rows.batch();
}

int64_t Task::rows(Split split, int64_t index, int64_t size) const {
  check_index(split, index, size);
  return std::min(size, sequences_ - index * size);
}

Tensor Task::document_ids(Split split, int64_t index, int64_t size) const {
  const Tensor targets = evaluation(split, index, size).targets;
  const Tensor sequences = at::arange(index * size, (index + 1) * size, at::kLong).unsqueeze(1);
  return at::where(targets >= 0, sequences, at::full({}, -1, at::kLong));
}

std::string Task::hash() const {
  return hash_hex(fmt::format("{} seed {}", describe(), seed_));
}

std::string Task::describe() const {
  return fmt::format("task {} ({}): {} tokens a sequence, {} held-out sequences", name_, sizes(), context_, sequences_);
}

void Task::check_index(Split split, int64_t index, int64_t size) const {
  check(index >= 0 && index < evaluation_batches(split, size), "no evaluation batch {} of {}", index,
        split_name(split));
}

int64_t below(Random& random, int64_t bound) {
  return static_cast<int64_t>(random.below(static_cast<uint64_t>(bound)));
}

void require_context(const Dataset& task, const std::string& name, int64_t context) {
  require(task.context() <= context, "the task {} needs a context of {} but the model's is {}", name, task.context(),
          context);
}

std::string task_sentence(const std::string& name, int64_t sequences) {
  return fmt::format("The data are the synthetic task \"{}\", with {} held-out sequences each for validation and test.",
                     name, grouped(sequences));
}

void values_field(Fields& list, int64_t& values) {
  list.field("values", values, {2, 4096},
             "recall: values a key may have; rule: values of an attribute; codes: symbols.");
}

void task_fields(Fields& list, bool& independent, int64_t& sequences) {
  list.field(
      "independent", independent,
      "recall, rule, codes: answers don't depend on the input, so that no router can gain: the negative control.");
  list.field("sequences", sequences, {1, 1 << 20}, "recall, rule, codes: held-out sequences, in valid and in test.");
}

}  // namespace absorb
