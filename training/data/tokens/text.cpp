#include "training/data/tokens/text.h"

#include "core/error.h"
#include "core/numbers.h"
#include "training/data/tokeniser/bpe_files.h"
#include "training/data/tokeniser/tokeniser.h"
#include "training/data/tokens/token_dataset.h"
#include "training/data/tokens/write_tokens.h"

namespace absorb {
namespace {

std::string words_for(const TextSettings& data) {
  if (data.tokens == "bpe")
    return fmt::format("text read as {} tokens of a byte pair encoding that was learned from its training split",
                       grouped(data.vocabulary));
  if (!tokeniser_files(data).empty())
    return fmt::format("text read as tokens of the byte pair encoding in {}", Path(data.tokeniser).filename().string());
  return fmt::format("text read as {}", data.tokens);
}

class Text final : public DataSource {
 public:
  explicit Text(const TextSettings& data) : data_(data) {}

  void require_valid() const override { absorb::require_valid(data_); }

  std::vector<std::string> missing_files() const override { return absorb::missing_files(data_); }

  int64_t vocabulary() const override {
    if (data_.tokens == "bpe") return data_.vocabulary;  // train_bpe makes that many or throws
    return data_.tokens == "gpt2" ? bpe_vocabulary(data_.tokeniser) : make_tokeniser(data_)->vocabulary();
  }

  std::shared_ptr<const Dataset> open(int64_t context, uint64_t) const override {
    require(!data_.corpus.empty() ? data_.valid_share > 0 : !data_.valid.empty(),
            "data has no validation text: set data.{}", data_.corpus.empty() ? "valid" : "valid_share");
    return std::make_shared<TokenDataset>(open_token_files(token_paths(cached_tokens(data_)), {.trusted = true}),
                                          context, fmt::format("{} as {}", data_.name(), data_.tokens),
                                          order_named(data_.order));
  }

  // From the size of its files: its tokens may not exist yet.
  double held_out_tokens(Split split, int64_t, uint64_t) const override {
    const bool valid = split == Split::valid;
    const std::string own = valid ? data_.valid : data_.test, file = data_.corpus.empty() ? own : data_.corpus;
    if (file.empty()) return 0;
    const double share = data_.corpus.empty() ? 1 : valid ? data_.valid_share : data_.test_share;
    constexpr double bytes_a_token = 4;  // of byte pair encodings, about
    return share * static_cast<double>(std::filesystem::file_size(file)) /
           (data_.tokens == "bytes" ? 1 : bytes_a_token);
  }

  std::string sentence() const override { return split() + order_sentence(data_.order); }

 private:
  std::string split() const {
    const auto file = [](const std::string& path) { return Path(path).filename().string(); };
    if (!data_.train.empty())
      return fmt::format("Models were trained on {} ({}) and evaluated on {}.", file(data_.train), words_for(data_),
                         file(data_.valid));
    return fmt::format(
        "The corpus is {} ({}), split by a hash of the document: {:g} % of the documents for validation, {:g} % for "
        "the test.",
        file(data_.corpus), words_for(data_), 100 * data_.valid_share, 100 * data_.test_share);
  }

  TextSettings data_;
};

}  // namespace

void add_text(DataSources& sources) {
  sources.add<TextSettings>("text", "text, read as bytes or by a byte pair encoding",
                            [](const TextSettings& data) { return std::make_shared<Text>(data); });
}

}  // namespace absorb
