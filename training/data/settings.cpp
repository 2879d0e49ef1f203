#include "training/data/settings.h"

#include <array>

#include "core/error.h"
#include "core/files.h"
#include "core/settings.h"
#include "training/data/bpe_files.h"
#include "training/data/bpe_training.h"
#include "training/data/regex.h"

namespace absorb {
namespace {

struct Named {
  const char* key;
  const std::string* path;
};

std::array<Named, 3> split_paths(const DataSettings& data) {
  return {Named{"train", &data.train}, Named{"valid", &data.valid}, Named{"test", &data.test}};
}

bool is_task(const DataSettings& data) {
  return data.type == "recall" || data.type == "rule";
}

void require_valid_text(const DataSettings& data) {
  if (data.documents != "blank_lines" && data.documents != "whole") Regex(data.documents, "data.documents");
  [[maybe_unused]] const Regex compiles(data.strip, "data.strip");
  require(data.tokens != "gpt2" || !data.tokeniser.empty(),
          "data.tokens = \"gpt2\" needs data.tokeniser, the folder with {} and {}", encoder_file, merges_file);
  require(data.tokens == "gpt2" || data.tokeniser.empty(),
          "data.tokeniser is read with data.tokens = \"gpt2\" alone: set that, or leave data.tokeniser out");
  require(data.tokens != "bpe" || data.vocabulary >= bpe_base,
          "data.tokens = \"bpe\" needs data.vocabulary, the ids to make: 4096, say, and at least {} but got {}",
          bpe_base, data.vocabulary);
}

}  // namespace

void fields(Fields& list, DataSettings& data) {
  list.field("type", data.type, {"text", "tokens", "recall", "rule"},
             "Text, token files, or a synthetic task with a known answer (recall: attention, rule: experts).");
  list.field("corpus", data.corpus,
             "Text: one file (.txt, .jsonl, either also .gz) that is split by a hash of the document. Tokens: a folder "
             "with train.bin, valid.bin and maybe test.bin.");
  list.field("train", data.train, "File of the training split, instead of corpus.");
  list.field("valid", data.valid, "File of the validation split.");
  list.field("test", data.test, "File of the test split, read once at a run's end; may be left out.");
  list.field("cache", data.cache, "Folder for the token files made from text; empty: `tokens` beside the corpus.");
  list.field(
      "documents", data.documents,
      "Where documents start: blank_lines, whole (a file is one), or a regular expression; while its first group "
      "stays the same, a document goes on.");
  list.field("strip", data.strip, "Regular expression; what it matches is cut out of every document.");
  list.field(
      "tokens", data.tokens, {"bytes", "bpe", "gpt2"},
      "Tokeniser for text. bytes: 256 ids, 0 ends a document. bpe: byte pair encoding of `vocabulary` ids, learned "
      "from the training split. gpt2: byte pair encoding by the files in `tokeniser`.");
  list.field("tokeniser", data.tokeniser,
             "gpt2: folder with encoder.json and vocab.bpe, GPT-2's own or what bpe has left beside its token files.");
  list.field("valid_share", data.valid_share, {0.0, 1.0}, "Share of the corpus' documents for validation.");
  list.field("test_share", data.test_share, {0.0, 1.0}, "Share of the corpus' documents for the test.");
  list.field("split_salt", data.split_salt, {0, int64_t{1} << 62}, "Another number deals the documents anew.");
  list.field(
      "vocabulary", data.vocabulary, {0, int64_t{1} << 32},
      "Token files: ids are below it; 0: as the .json beside the file says. Text as bpe: ids in all, 257 at least "
      "(256 bytes and the end of a document).");
  list.field("dtype", data.dtype, {"auto", "uint16", "uint32"},
             "Token files: type of an id; auto: as the .json says, else by the vocabulary.");
  list.field("end_of_document", data.end_of_document, {-1, (int64_t{1} << 32) - 1},
             "Token files: the id that ends a document; -1: as the .json and .idx beside the file say, else none.");
  list.field("pairs", data.pairs, {1, 4096}, "recall: keys, each shown once and asked for once.");
  list.field("values", data.values, {2, 4096}, "recall: values a key may have; rule: values of an attribute.");
  list.field("classes", data.classes, {1, 4096}, "rule: classes, each with a table of its own.");
  list.field("attributes", data.attributes, {1, 4096}, "rule: attribute tokens in a sequence.");
  list.field("answers", data.answers, {2, 4096}, "rule: possible answers.");
  list.field("independent", data.independent,
             "recall, rule: answers don't depend on the input, so that no router can gain: the negative control.");
  list.field("sequences", data.sequences, {1, 1 << 20}, "recall, rule: held-out sequences, in valid and in test.");
}

void require_valid(const DataSettings& data) {
  if (is_task(data)) return;
  if (data.type == "text") require_valid_text(data);
  if (!data.corpus.empty()) {
    for (const auto& [key, path] : split_paths(data))
      require(path->empty(), "data.corpus and data.{} exclude each other", key);
    require(data.valid_share + data.test_share < 1.0, "data.valid_share + data.test_share = {} leaves no training text",
            data.valid_share + data.test_share);
    return;
  }
  require(!data.train.empty(), "data names no text: set data.corpus, or data.train and data.valid");
}

std::vector<std::string> missing_files(const DataSettings& data) {
  std::vector<std::string> named, missing;
  if (!is_task(data)) {
    for (const auto& [key, path] : split_paths(data))
      if (!path->empty()) named.push_back(*path);
    if (data.type == "text" && data.tokens == "gpt2")
      for (const char* name : {encoder_file, merges_file}) named.push_back((Path(data.tokeniser) / name).string());
    if (!data.corpus.empty() && data.type == "text") named.push_back(data.corpus);
    if (!data.corpus.empty() && data.type == "tokens")
      for (const char* name : {"train.bin", "valid.bin"}) named.push_back((Path(data.corpus) / name).string());
  }
  for (const std::string& path : named)
    if (!std::filesystem::exists(path)) missing.push_back(path);
  return missing;
}

std::string cache_folder(const DataSettings& data) {
  if (!data.cache.empty()) return data.cache;
  const Path input = data.corpus.empty() ? data.train : data.corpus;
  return (input.parent_path() / "tokens").string();
}

}  // namespace absorb
