// A safetensors file of any bytes.
#include <torch/types.h>

#include "core/safetensors.h"
#include "tests/fuzz/fuzz.h"

using namespace absorb;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size) {
  const Path file = fuzz::written("x.safetensors", fuzz::text_of(data, size));
  fuzz::expect_answer([&] {
    for (const auto& [name, tensor] : read_safetensors(file))
      if (tensor.nbytes() > size) std::abort();
  });
  return 0;
}
