#include "training/data/dataset.h"

#include <fmt/format.h>

#include <array>
#include <string>
#include <utility>

#include "core/error.h"
#include "core/files.h"
#include "training/data/tasks.h"
#include "training/data/token_dataset.h"
#include "training/data/token_file.h"
#include "training/data/write_tokens.h"

namespace absorb {
namespace {

using Paths = std::array<Path, 3>;  // by Split; empty where there is none

Paths paths_in(const Path& folder) {
  const Path test = folder / "test.bin";
  return {folder / "train.bin", folder / "valid.bin", std::filesystem::exists(test) ? test : Path()};
}

TokenFiles open_files(const Paths& paths, const TokenFile::Options& options) {
  TokenFiles files;
  for (std::size_t i = 0; i < paths.size(); ++i)
    if (!paths[i].empty()) files[i] = std::make_unique<const TokenFile>(paths[i], options);
  return files;
}

/// What people read first in describe(): the corpus, or the training file.
std::string name_of(const DataSettings& data) {
  return data.corpus.empty() ? data.train : data.corpus;
}

std::shared_ptr<const Dataset> make_text(const DataSettings& data, int64_t context) {
  require(!data.corpus.empty() ? data.valid_share > 0 : !data.valid.empty(), "data has no validation text: set data.{}",
          data.corpus.empty() ? "valid" : "valid_share");
  const TokenFile::Options options{.trusted = true};
  return std::make_shared<TokenDataset>(open_files(paths_in(cached_tokens(data)), options), context,
                                        fmt::format("{} as {}", name_of(data), data.tokens));
}

std::shared_ptr<const Dataset> make_from_tokens(const DataSettings& data, int64_t context) {
  require_valid(data);
  require(!data.corpus.empty() || !data.valid.empty(), "data has no validation tokens: set data.valid");
  for (const std::string& path : missing_files(data)) user_error("{} doesn't exist", path);
  const Paths paths = data.corpus.empty() ? Paths{data.train, data.valid, data.test} : paths_in(data.corpus);
  const TokenFile::Options options{data.vocabulary, data.dtype, data.end_of_document, false};
  return std::make_shared<TokenDataset>(open_files(paths, options), context, name_of(data));
}

}  // namespace

const char* split_name(Split split) {
  return split == Split::train ? "train" : split == Split::valid ? "valid" : "test";
}

std::shared_ptr<const Dataset> make_dataset(const DataSettings& data, int64_t context, uint64_t seed) {
  if (data.type == "text") return make_text(data, context);
  if (data.type == "tokens") return make_from_tokens(data, context);
  require(data.type == "recall" || data.type == "rule",
          "data.type = \"{}\" is unknown; known: text, tokens, recall, rule", data.type);
  auto task = data.type == "recall" ? make_recall(data, seed) : make_rule(data, seed);
  require(task->context() <= context, "the task {} needs a context of {} but the model's is {}", data.type,
          task->context(), context);
  return task;
}

}  // namespace absorb
