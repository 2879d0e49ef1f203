#include "training/data/tokens/corpus.h"

#include <xxhash.h>

#include <array>

namespace absorb {
namespace {

/// A document's split: a function of its text (of its first piece, if it is long) and the salt alone.
Split deal(const TextSettings& data, std::string_view text) {
  const uint64_t hash = XXH3_64bits_withSeed(text.data(), text.size(), static_cast<uint64_t>(data.split_salt));
  const double place = static_cast<double>(hash >> 11) * 0x1p-53;
  return place < data.test_share                      ? Split::test
         : place < data.test_share + data.valid_share ? Split::valid
                                                      : Split::train;
}

}  // namespace

std::vector<CorpusFile> corpus_files(const TextSettings& data) {
  if (!data.corpus.empty()) return {{data.corpus}};
  std::vector<CorpusFile> list;
  for (int split = 0; split < 3; ++split)
    if (const auto path = data.paths()[static_cast<std::size_t>(split)]; !path.empty()) list.push_back({path, split});
  return list;
}

std::uintmax_t corpus_bytes(const TextSettings& data) {
  std::uintmax_t total = 0;
  for (const CorpusFile& file : corpus_files(data)) total += std::filesystem::file_size(file.path);
  return total;
}

double split_share(const TextSettings& data, Split split) {
  if (data.corpus.empty()) return data.paths()[static_cast<std::size_t>(split)].empty() ? 0.0 : 1.0;
  return split == Split::valid  ? data.valid_share
         : split == Split::test ? data.test_share
                                : 1.0 - data.valid_share - data.test_share;
}

void read_corpus(const TextSettings& data, const SplitSink& sink, const ByteProgress& progress) {
  const DocumentRules rules{data.documents, data.strip, data.text_field};
  std::uintmax_t done = 0;
  for (const CorpusFile& file : corpus_files(data)) {
    auto split = static_cast<Split>(file.split);
    const auto dealt = [&](const Piece& piece) {
      if (file.split < 0 && piece.first) split = deal(data, piece.text);
      sink(split, piece);
    };
    read_documents(file.path, rules, dealt, [&](std::uintmax_t taken) {
      if (progress) progress(done + taken);
    });
    done += std::filesystem::file_size(file.path);
  }
}

}  // namespace absorb
