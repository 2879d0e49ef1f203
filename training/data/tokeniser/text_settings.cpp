#include "training/data/tokeniser/text_settings.h"

#include "core/error.h"
#include "training/data/text/regex.h"
#include "training/data/tokeniser/bpe_files.h"
#include "training/data/tokeniser/bpe_training.h"
#include "training/data/tokeniser/huggingface.h"

namespace absorb {

void fields(Fields& list, TextSettings& data) {
  fields(list, static_cast<SplitFiles&>(data));
  list.field("cache", data.cache, "Folder for the token files made from text; empty: `tokens` beside the corpus.");
  list.field(
      "documents", data.documents,
      "Where documents start: blank_lines, whole (a file is one), or a regular expression; while its first group "
      "stays the same, a document goes on.");
  list.field("text_field", data.text_field, "The field of a .jsonl line that holds its text.");
  list.field("strip", data.strip, "Regular expression; what it matches is cut out of every document.");
  list.field(
      "tokens", data.tokens, {"bytes", "bpe", "gpt2", "huggingface"},
      "Tokeniser for text. bytes: 256 ids, 0 ends a document. bpe: byte pair encoding of `vocabulary` ids, learned "
      "from the training split. gpt2, huggingface: byte pair encoding by the files in `tokeniser`.");
  list.field("tokeniser", data.tokeniser,
             "gpt2: folder with encoder.json and vocab.bpe, GPT-2's own or what bpe has left beside its token files. "
             "huggingface: folder with tokenizer.json.");
  list.field("valid_share", data.valid_share, {0.0, 1.0}, "Share of the corpus' documents for validation.");
  list.field("test_share", data.test_share, {0.0, 1.0}, "Share of the corpus' documents for the test.");
  list.field("split_salt", data.split_salt, {0, int64_t{1} << 62}, "Another number deals the documents anew.");
  vocabulary_field(list, data.vocabulary);
}

void require_valid(const TextSettings& data) {
  if (data.documents != "blank_lines" && data.documents != "whole") Regex(data.documents, "data.documents");
  [[maybe_unused]] const Regex compiles(data.strip, "data.strip");
  require(data.tokens != "gpt2" || !data.tokeniser.empty(),
          "data.tokens = \"gpt2\" needs data.tokeniser, the folder with {} and {}", encoder_file, merges_file);
  require(data.tokens != "huggingface" || !data.tokeniser.empty(),
          "data.tokens = \"huggingface\" needs data.tokeniser, the folder with {}", huggingface_file);
  require(data.tokens == "gpt2" || data.tokens == "huggingface" || data.tokeniser.empty(),
          "data.tokeniser is read with data.tokens = \"gpt2\" or \"huggingface\" alone: set one of them, or leave "
          "data.tokeniser out");
  require(data.tokens != "bpe" || data.vocabulary >= bpe_base,
          "data.tokens = \"bpe\" needs data.vocabulary, the ids to make: 4096, say, and at least {} but got {}",
          bpe_base, data.vocabulary);
  require_valid(static_cast<const SplitFiles&>(data));
  require(data.corpus.empty() || data.valid_share + data.test_share < 1.0,
          "data.valid_share + data.test_share = {} leaves no training text", data.valid_share + data.test_share);
}

std::vector<std::string> missing_files(const TextSettings& data) {
  std::vector<std::string> named = {data.train, data.valid, data.test};
  for (const Path& file : tokeniser_files(data)) named.push_back(file.string());
  named.push_back(data.corpus);
  return absent(named);
}

std::vector<Path> tokeniser_files(const TextSettings& data) {
  const Path folder = data.tokeniser;
  if (data.tokens == "gpt2") return {folder / encoder_file, folder / merges_file};
  if (data.tokens != "huggingface") return {};
  std::vector<Path> out = {folder / huggingface_file};
  if (const Path more = folder / huggingface_config_file; std::filesystem::exists(more)) out.push_back(more);
  return out;
}

std::string cache_folder(const TextSettings& data) {
  return data.cache.empty() ? (Path(data.name()).parent_path() / "tokens").string() : data.cache;
}

}  // namespace absorb
