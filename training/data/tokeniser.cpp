#include "training/data/tokeniser.h"

#include "core/error.h"

namespace absorb {
namespace {

class Bytes final : public Tokeniser {
 public:
  void encode(std::string_view text, std::vector<uint32_t>& ids) const override {
    ids.reserve(ids.size() + text.size());
    for (const char byte : text) ids.push_back(static_cast<unsigned char>(byte));
  }
  int64_t vocabulary() const override { return 256; }
  int64_t end_of_document() const override { return 0; }
  std::string name() const override { return "bytes"; }
};

}  // namespace

std::shared_ptr<const Tokeniser> make_tokeniser(const std::string& name) {
  require(name == "bytes", "data.tokens = \"{}\" is no tokeniser; known: bytes", name);
  return std::make_shared<Bytes>();
}

}  // namespace absorb
