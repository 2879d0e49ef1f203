// Windows of token files as a Dataset: random ones for training, consecutive ones for evaluation.
#pragma once

#include <array>
#include <memory>
#include <string>

#include "training/data/dataset.h"
#include "training/data/tokens/token_file.h"

namespace absorb {

/// By Split; train and valid must be there.
using TokenFiles = std::array<std::unique_ptr<const TokenFile>, 3>;
using TokenPaths = std::array<Path, 3>;  // empty where there is none

/// train.bin, valid.bin and, if it is there, test.bin.
TokenPaths token_paths(const Path& folder);
TokenFiles open_token_files(const TokenPaths& paths, const TokenFile::Options& options);

/// How training text is gone through. windows: windows that begin anywhere, drawn with replacement. permuted: whole
/// chunks of T tokens, each once an epoch, in an order and from a first token (below T) that every epoch draws anew.
enum class Order { windows, permuted };
Order order_named(const std::string& name);
/// " Training windows ...": how it was gone through, for the paragraph on methods.
std::string order_sentence(const std::string& order);

class TokenDataset final : public Dataset {
 public:
  /// `name` is what describe() starts with. UserError for a split that is shorter than the context.
  TokenDataset(TokenFiles files, int64_t context, std::string name, Order order = Order::windows);

  Batch batch(uint64_t seed, int64_t step, int64_t size, int64_t offset, int64_t whole) const override;
  int64_t evaluation_batches(Split split, int64_t size) const override;
  Batch evaluation(Split split, int64_t index, int64_t size) const override;
  int64_t rows(Split split, int64_t index, int64_t size) const override;
  Tensor document_ids(Split split, int64_t index, int64_t size) const override;
  int64_t context() const override { return context_; }
  int64_t vocabulary() const override { return vocabulary_; }
  int64_t tokens(Split split) const override;
  double bytes_per_token(Split split) const override;
  std::string hash() const override;
  std::string describe() const override;
  void require_unchanged() const override;

 private:
  const TokenFile* file(Split split) const { return files_[static_cast<std::size_t>(split)].get(); }
  /// The tokens [begin, begin + count) that are inputs in a row of a batch of a split; count is 0 beyond the end.
  struct Chunk {
    int64_t begin = 0, count = 0;
  };
  Chunk chunk(Split split, int64_t number) const;
  /// Where the window of a training row begins.
  int64_t window(uint64_t key, int64_t step, int64_t row) const;
  int64_t permuted(uint64_t key, int64_t number) const;

  TokenFiles files_;
  int64_t context_, vocabulary_;
  std::string name_;
  Order order_;
};

}  // namespace absorb
