// A tokeniser's two files, and a text to encode: encoder.json, vocab.bpe and the text, with "---" between.
#include "tests/fuzz/fuzz.h"
#include "training/data/tokeniser/bpe_files.h"

using namespace absorb;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size) {
  std::string_view input = fuzz::text_of(data, size);
  fuzz::written(encoder_file, fuzz::next_part(input));
  fuzz::written(merges_file, fuzz::next_part(input));
  fuzz::expect_answer([&] {
    Bpe bpe(read_bpe(fuzz::folder()));
    std::vector<uint32_t> ids;
    bpe.encode(input, ids);
    for (const uint32_t id : ids)
      if (static_cast<int64_t>(id) >= bpe.vocabulary()) std::abort();
  });
  // What needs no vocabulary of 256 bytes: the characters of bytes, there and back.
  const auto bytes = from_printable(input);
  if (from_printable(to_printable(input)) != std::string(input)) std::abort();
  if (bytes && to_printable(*bytes).size() > 2 * bytes->size()) std::abort();
  return 0;
}
