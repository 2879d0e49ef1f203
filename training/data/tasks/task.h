// Synthetic tasks in which routing decides (docs/science.md section 7): a learned router must beat a random one here,
// or the machinery is broken. Only answers have targets; held-out sequences come from streams that training never sees.
#pragma once

#include "core/random.h"
#include "training/data/source.h"

namespace absorb {

/// What the tasks share: everything but a sequence's content.
class Task : public Dataset {
 public:
  Task(std::string name, int64_t context, int64_t sequences, uint64_t seed)
      : name_(std::move(name)), context_(context), sequences_(sequences), seed_(seed) {}

  Batch batch(uint64_t seed, int64_t step, int64_t size, int64_t offset, int64_t whole) const override;
  int64_t evaluation_batches(Split split, int64_t size) const override;
  Batch evaluation(Split split, int64_t index, int64_t size) const override;
  int64_t rows(Split split, int64_t index, int64_t size) const override;
  Tensor document_ids(Split split, int64_t index, int64_t size) const override;
  int64_t context() const override { return context_; }
  int64_t tokens(Split split) const override { return split == Split::train ? 0 : sequences_ * context_; }
  double bytes_per_token(Split) const override { return 0.0; }
  std::string hash() const override;
  std::string describe() const override;
  /// Held-out sequences of each split.
  int64_t sequences() const { return sequences_; }
  /// Fills one sequence of T tokens; tokens are 0 and targets -1 before.
  virtual void draw(Random random, int64_t* tokens, int64_t* targets) const = 0;

 protected:
  virtual std::string sizes() const = 0;

 private:
  void check_index(Split split, int64_t index, int64_t size) const;

  std::string name_;
  int64_t context_, sequences_;
  uint64_t seed_;
};

/// A whole number in [0, bound).
int64_t below(Random& random, int64_t bound);
/// UserError unless its sequences fit.
void require_context(const Dataset& task, const std::string& name, int64_t context);
/// The sentence of a task with so many held-out sequences.
std::string task_sentence(const std::string& name, int64_t sequences);

/// Fields that the tasks share.
void values_field(Fields& list, int64_t& values);
void task_fields(Fields& list, bool& independent, int64_t& sequences);

}  // namespace absorb
