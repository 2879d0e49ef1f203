#include "training/data/tokens/token_dataset.h"

#include <fmt/format.h>
#include <torch/types.h>

#include <algorithm>
#include <utility>

#include "core/error.h"
#include "core/files.h"
#include "core/random.h"
#include "training/data/rows.h"
#include "training/data/tokens/permutation.h"

namespace absorb {
namespace {

constexpr std::array splits = {Split::train, Split::valid, Split::test};

}  // namespace

TokenPaths token_paths(const Path& folder) {
  const Path test = folder / "test.bin";
  return {folder / "train.bin", folder / "valid.bin", std::filesystem::exists(test) ? test : Path()};
}

TokenFiles open_token_files(const TokenPaths& paths, const TokenFile::Options& options) {
  TokenFiles files;
  for (std::size_t i = 0; i < paths.size(); ++i)
    if (!paths[i].empty()) files[i] = std::make_unique<const TokenFile>(paths[i], options);
  return files;
}

TokenDataset::TokenDataset(TokenFiles files, int64_t context, std::string name, Order order)
    : files_(std::move(files)), context_(context), vocabulary_(0), name_(std::move(name)), order_(order) {
  require(context > 0, "the context must be positive but is {}", context);
  for (const Split split : splits) {
    if (!file(split)) continue;
    // One more than the context, since the last input needs a target.
    require(file(split)->size() > context, "{} holds {} tokens, too few for a context of {}",
            file(split)->path().string(), file(split)->size(), context);
    vocabulary_ = std::max(vocabulary_, file(split)->facts().vocabulary);
  }
  check(file(Split::train) && file(Split::valid), "a data set needs training and validation tokens");
}

Order order_named(const std::string& name) {
  return name == "permuted" ? Order::permuted : Order::windows;
}

std::string order_sentence(const std::string& order) {
  return order == "permuted"
             ? " Training took chunks of a context in a random order, each once an epoch; a chunk may hold the end of "
               "one "
               "document and the beginning of the next."
             : " Training took windows of a context that begin anywhere, drawn with replacement; a window may hold the "
               "end of one document and the beginning of the next.";
}

int64_t TokenDataset::window(uint64_t key, int64_t step, int64_t row) const {
  const auto places = static_cast<uint64_t>(file(Split::train)->size() - context_);
  return static_cast<int64_t>(row_random(key, step, row).below(places));
}

int64_t TokenDataset::permuted(uint64_t key, int64_t number) const {
  const int64_t inputs = file(Split::train)->size() - 1, chunks = inputs / context_;
  const auto epoch = static_cast<uint64_t>(number / chunks);
  const auto left_over = static_cast<uint64_t>(inputs - chunks * context_);
  const auto first = static_cast<int64_t>(Random(key, epoch).below(left_over + 1));
  return first + context_ * absorb::permuted(number % chunks, chunks, key, epoch);
}

Batch TokenDataset::batch(uint64_t seed, int64_t step, int64_t size, int64_t offset, int64_t whole) const {
  const TokenFile& tokens = *file(Split::train);
  const uint64_t key = stream_key(seed, order_ == Order::permuted ? "data/permuted" : "data");
  if (whole == 0) whole = offset + size;
  check(order_ == Order::windows || step >= 1, "steps of permuted data count from 1, not {}", step);
  Rows rows(size, context_);
  for (int64_t row = 0; row < size; ++row) {
    const int64_t begin =
        order_ == Order::permuted ? permuted(key, (step - 1) * whole + offset + row) : window(key, step, offset + row);
    tokens.copy(begin, context_, rows.tokens(row));
    tokens.copy(begin + 1, context_, rows.targets(row));
  }
  return rows.batch();
}

TokenDataset::Chunk TokenDataset::chunk(Split split, int64_t number) const {
  const int64_t inputs = file(split)->size() - 1;
  const int64_t begin = std::min(number * context_, inputs);
  return {begin, std::min(context_, inputs - begin)};
}

int64_t TokenDataset::evaluation_batches(Split split, int64_t size) const {
  if (!file(split)) return 0;
  const int64_t chunks = (file(split)->size() - 1 + context_ - 1) / context_;
  return (chunks + size - 1) / size;
}

Batch TokenDataset::evaluation(Split split, int64_t index, int64_t size) const {
  check(index >= 0 && index < evaluation_batches(split, size), "no evaluation batch {} of {}", index,
        split_name(split));
  Rows rows(size, context_);
  for (int64_t row = 0; row < size; ++row) {
    const Chunk part = chunk(split, index * size + row);
    file(split)->copy(part.begin, part.count, rows.tokens(row));
    file(split)->copy(part.begin + 1, part.count, rows.targets(row));
  }
  return rows.batch();
}

int64_t TokenDataset::rows(Split split, int64_t index, int64_t size) const {
  const int64_t whole = (file(split)->size() - 1) / context_;  // chunks
  return std::clamp<int64_t>(whole - index * size, 0, size);
}

Tensor TokenDataset::document_ids(Split split, int64_t index, int64_t size) const {
  check(index >= 0 && index < evaluation_batches(split, size), "no evaluation batch {} of {}", index,
        split_name(split));
  const auto starts = file(split)->starts();
  Tensor ids = at::full({size, context_}, -1, at::kLong);
  auto* out = ids.mutable_data_ptr<int64_t>();
  for (int64_t row = 0; row < size; ++row) {
    const Chunk part = chunk(split, index * size + row);
    for (int64_t i = 0; i < part.count;) {
      const auto target = static_cast<uint64_t>(part.begin + 1 + i);
      const auto next = std::upper_bound(starts.begin(), starts.end(), target);
      const int64_t end = next == starts.end() ? part.count : static_cast<int64_t>(*next) - part.begin - 1;
      for (const int64_t stop = std::min(end, part.count); i < stop; ++i)
        out[row * context_ + i] = next - starts.begin() - 1;
    }
  }
  return ids;
}

int64_t TokenDataset::tokens(Split split) const {
  return file(split) ? file(split)->size() : 0;
}

double TokenDataset::bytes_per_token(Split split) const {
  return file(split) ? static_cast<double>(file(split)->facts().text_bytes) / static_cast<double>(file(split)->size())
                     : 0.0;
}

std::string TokenDataset::hash() const {
  std::string all = fmt::format("{}", vocabulary_);
  for (const Split split : splits)
    if (file(split)) all += fmt::format("/{} {}", split_name(split), file(split)->facts().hash);
  return hash_hex(all);
}

std::string TokenDataset::describe() const {
  std::string line = fmt::format("{}: vocabulary {}", name_, vocabulary_);
  for (const Split split : splits)
    if (file(split))
      line += fmt::format(", {} {} tokens in {} document{}", split_name(split), file(split)->size(),
                          file(split)->facts().documents, file(split)->facts().documents == 1 ? "" : "s");
  return line;
}

void TokenDataset::require_unchanged() const {
  for (const Split split : splits)
    if (file(split)) file(split)->require_unchanged();
}

}  // namespace absorb
