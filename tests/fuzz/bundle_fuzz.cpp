// A packed study of any bytes: verified and unpacked.
#include "studies/bundle/bundle.h"
#include "tests/fuzz/fuzz.h"

using namespace absorb;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size) {
  const Path file = fuzz::written("x.tar.zst", fuzz::text_of(data, size)), into = fuzz::folder() / "unpacked";
  fuzz::expect_answer([&] { verify_bundle(file); });
  std::filesystem::remove_all(into);
  fuzz::expect_answer([&] { unpack(file, into); });
  return 0;
}
