#include "training/data/tokeniser/tokeniser.h"

#include "core/error.h"
#include "training/data/tokeniser/bpe.h"
#include "training/data/tokeniser/bpe_files.h"
#include "training/data/tokeniser/huggingface.h"

namespace absorb {
namespace {

class Bytes final : public Tokeniser {
 public:
  void encode(std::string_view text, std::vector<uint32_t>& ids) override {
    ids.reserve(ids.size() + text.size());
    for (const char byte : text) ids.push_back(static_cast<unsigned char>(byte));
  }
  std::string decode(std::span<const uint32_t> ids) const override {
    std::string text;
    for (const uint32_t id : ids) text += static_cast<char>(id);
    return text;
  }
  std::size_t safe_cut(std::string_view text) const override { return text.size(); }
  int64_t vocabulary() const override { return 256; }
  int64_t end_of_document() const override { return 0; }
  std::string name() const override { return "bytes"; }
};

}  // namespace

std::shared_ptr<Tokeniser> make_tokeniser(const TextSettings& data) {
  if (data.tokens == "bytes") return std::make_shared<Bytes>();
  if (data.tokens == "huggingface") return read_huggingface(data.tokeniser);
  require(data.tokens == "gpt2",
          "data.tokens = \"{}\" is no tokeniser that needs no training; known: bytes, gpt2, huggingface", data.tokens);
  return std::make_shared<Bpe>(read_bpe(data.tokeniser));
}

}  // namespace absorb
