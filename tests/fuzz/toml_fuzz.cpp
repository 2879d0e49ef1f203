// Any TOML: read, written and read again it is the same; and any KEY=VALUE of --set.
#include "core/settings.h"
#include "core/text/toml.h"
#include "tests/fuzz/fuzz.h"

using namespace absorb;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size) {
  const std::string text(fuzz::text_of(data, size));
  fuzz::expect_answer([&] {
    const Json value = Settings::from_text(text, "input").value();
    const Json again = Settings::from_text(to_toml(value), "written").value();
    // NaN differs from itself; as text it doesn't.
    if (value != again && value.dump() != again.dump()) std::abort();
  });
  fuzz::expect_answer([&] { Settings::from_assignment(text); });
  return 0;
}
