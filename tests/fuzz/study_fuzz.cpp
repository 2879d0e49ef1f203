// A study file, and the lines of --set after the first "---".
#include "studies/study/study.h"
#include "tests/fuzz/fuzz.h"

using namespace absorb;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size) {
  std::string_view input = fuzz::text_of(data, size);
  const Path file = fuzz::written("study.toml", fuzz::next_part(input));
  std::vector<std::string> sets;
  while (!input.empty() && sets.size() < 8) sets.emplace_back(fuzz::next_part(input));
  fuzz::expect_answer([&] { read_study(file, sets); });
  return 0;
}
