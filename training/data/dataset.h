// What a run trains and is evaluated on, behind one interface: windows of a corpus, or a synthetic task. A batch is a
// pure function of (seed, step), so that a resumed run needs no state and every arm of a seed sees the same data.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "training/batch.h"
#include "training/data/settings.h"

namespace absorb {

/// Test text is for one reading, at a run's end.
enum class Split { train, valid, test };
const char* split_name(Split split);

class Dataset {
 public:
  virtual ~Dataset() = default;

  /// Training rows offset .. offset + size of this step, counted from 1, [size,T]. Micro-batches of one step pass
  /// growing offsets and together hold what one large batch would. `whole`: rows of the whole step (0: these are all).
  /// Row r depends on (seed, step, whole, r) alone; r is below 2^20.
  virtual Batch batch(uint64_t seed, int64_t step, int64_t size, int64_t offset = 0, int64_t whole = 0) const = 0;

  /// Batches of `size` rows that cover a split; 0 when there is no such split.
  virtual int64_t evaluation_batches(Split split, int64_t size) const = 0;
  /// Batch `index` of a split, always [size,T]: consecutive chunks of T tokens, in which every token but the very first
  /// is a target exactly once. What is left over in the last chunk, and rows after it, has targets -1.
  virtual Batch evaluation(Split split, int64_t index, int64_t size) const = 0;
  /// How many rows of that batch are text to their end. Those after them are padding, the first of them maybe in part:
  /// whoever takes a mean over rows leaves them out.
  virtual int64_t rows(Split split, int64_t index, int64_t size) const = 0;
  /// The document (0, 1, ... within the split) that each target of that batch belongs to, int64 [size,T]; -1 where the
  /// target is -1.
  virtual Tensor document_ids(Split split, int64_t index, int64_t size) const = 0;

  /// T, in tokens.
  virtual int64_t context() const = 0;
  /// Ids are below this.
  virtual int64_t vocabulary() const = 0;
  /// Tokens in a split (training: of a synthetic task, 0, since it never ends).
  virtual int64_t tokens(Split split) const = 0;
  /// Mean bytes of text per token, for bits per byte; 0 when unknown.
  virtual double bytes_per_token(Split split) const = 0;
  /// xxh3-128 over all tokens and the settings that made them, in hexadecimal.
  virtual std::string hash() const = 0;
  /// One line for people.
  virtual std::string describe() const = 0;
  /// UserError where a file that is being read is no longer what it was when it was opened.
  virtual void require_unchanged() const {}
};

/// Opens what the table names; text is first written as token files into its cache, if they aren't there yet. `context`
/// in tokens; `seed` fixes the table of `rule`. UserError for a missing, empty or too short split.
std::shared_ptr<const Dataset> make_dataset(const DataSettings& data, int64_t context, uint64_t seed);

}  // namespace absorb
