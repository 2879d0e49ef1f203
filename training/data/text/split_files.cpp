#include "training/data/text/split_files.h"

#include "core/error.h"

namespace absorb {

void fields(Fields& list, SplitFiles& files) {
  list.field("corpus", files.corpus,
             "Text: one file (.txt, .jsonl, either also .gz) that is split by a hash of the document. Tokens: a folder "
             "with train.bin, valid.bin and maybe test.bin.");
  list.field("train", files.train, "File of the training split, instead of corpus.");
  list.field("valid", files.valid, "File of the validation split.");
  list.field("test", files.test, "File of the test split, read once at a run's end; may be left out.");
  list.field(
      "order", files.order, {"windows", "permuted"},
      "How training text is gone through. windows: windows that begin anywhere, drawn with replacement. permuted: "
      "chunks of a context, each once an epoch, in an order that every epoch draws anew.");
}

void vocabulary_field(Fields& list, int64_t& vocabulary) {
  list.field(
      "vocabulary", vocabulary, {0, int64_t{1} << 32},
      "Token files: ids are below it; 0: as the .json beside the file says. Text as bpe: ids in all, 257 at least "
      "(256 bytes and the end of a document).");
}

void require_valid(const SplitFiles& files) {
  if (files.corpus.empty()) {
    require(!files.train.empty(), "data names no text: set data.corpus, or data.train and data.valid");
    return;
  }
  constexpr std::array keys = {"train", "valid", "test"};
  for (std::size_t i = 0; i < keys.size(); ++i)
    require(files.paths().at(i).empty(), "data.corpus and data.{} exclude each other", keys.at(i));
}

std::vector<std::string> absent(const std::vector<std::string>& paths) {
  std::vector<std::string> missing;
  for (const std::string& path : paths)
    if (!path.empty() && !std::filesystem::exists(path)) missing.push_back(path);
  return missing;
}

}  // namespace absorb
