// What a [data] table asks for, behind one interface that studies plan, count and describe with before any of it is
// opened. A new type is one header, one source and one line in builtin.cpp (docs/extending.md).
#pragma once

#include "core/registry.h"
#include "training/data/dataset.h"

namespace absorb {

/// Made from a table that was read.
class DataSource {
 public:
  virtual ~DataSource() = default;
  /// UserError with the reason when the table asks for something that can't be, without looking at any file.
  virtual void require_valid() const {}
  /// Files that it names and that don't exist.
  virtual std::vector<std::string> missing_files() const { return {}; }
  /// Token ids are below it, as far as that is known without opening anything large: what a dry run counts parameters
  /// with. UserError when it can't be known.
  virtual int64_t vocabulary() const = 0;
  /// Opens it, at no more than `context` tokens a sequence; `seed` fixes what belongs to a run's seed alone. UserError
  /// for what is missing, empty or too short.
  virtual std::shared_ptr<const Dataset> open(int64_t context, uint64_t seed) const = 0;
  /// Tokens of a held-out split, for an estimate of time. None of its files is missing.
  virtual double held_out_tokens(Split split, int64_t context, uint64_t seed) const {
    return static_cast<double>(open(context, seed)->tokens(split));
  }
  /// Whether a run of another seed learns another task, since what it asks belongs to the seed.
  virtual bool belongs_to_seed() const { return false; }
  /// A sentence for a study's methods paragraph.
  virtual std::string sentence() const = 0;
};
using DataSources = Registry<DataSource>;

/// Every built-in type: one line for each.
void add_builtin_data(DataSources& sources);
/// The registry that [data] is read with.
DataSources& data_sources();

std::shared_ptr<const DataSource> make_source(const DataSettings& data);

}  // namespace absorb
