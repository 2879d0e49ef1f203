// A token file with its side files: x.json, x.idx and x.bin, with "---" between.
#include "tests/fuzz/fuzz.h"
#include "training/data/tokens/token_file.h"

using namespace absorb;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size) {
  std::string_view input = fuzz::text_of(data, size);
  const std::string_view facts = fuzz::next_part(input), index = fuzz::next_part(input);
  const auto put = [](const std::string& name, std::string_view bytes) {
    if (bytes.empty())
      std::filesystem::remove(fuzz::folder() / name);
    else
      fuzz::written(name, bytes);
  };
  put("x.json", facts);
  put("x.idx", index);
  const Path file = fuzz::written("x.bin", input);
  for (const int64_t vocabulary : {int64_t{0}, int64_t{256}, int64_t{100'000}})
    fuzz::expect_answer([&] {
      const TokenFile tokens(file, {.vocabulary = vocabulary});
      std::vector<int64_t> ids(static_cast<std::size_t>(tokens.size()));
      tokens.copy(0, tokens.size(), ids.data());
      for (const int64_t id : ids)
        if (id < 0 || id >= tokens.facts().vocabulary) std::abort();
      for (const uint64_t start : tokens.starts())
        if (start >= ids.size()) std::abort();
    });
  return 0;
}
