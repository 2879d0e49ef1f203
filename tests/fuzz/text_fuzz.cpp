// Text as a corpus, plain, as lines of JSON and packed; the first byte says which.
#include "tests/fuzz/fuzz.h"
#include "training/data/text/documents.h"

using namespace absorb;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  constexpr const char* names[] = {"a.txt", "a.jsonl", "a.txt.gz", "a.jsonl.gz"};
  constexpr const char* rules[] = {"blank_lines", "whole", "^([A-Z]\\w*)", ""};
  const Path file = fuzz::written(names[data[0] & 3], fuzz::text_of(data + 1, size - 1));
  const DocumentRules rule{rules[(data[0] >> 2) % 3], (data[0] & 16) != 0 ? "\\[[^\\]]*\\]" : "", "text"};
  fuzz::expect_answer([&] {
    std::size_t pieces = 0;
    read_documents(file, rule, [&](const Piece& piece) { pieces += piece.text.empty() ? 0 : 1; });
  });
  return 0;
}
