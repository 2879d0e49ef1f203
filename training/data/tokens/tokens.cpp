#include "training/data/tokens/tokens.h"

#include "core/error.h"
#include "core/text/json.h"
#include "training/data/tokens/token_dataset.h"
#include "training/data/tokens/token_file.h"

namespace absorb {
namespace {

class Tokens final : public DataSource {
 public:
  explicit Tokens(const TokensSettings& data) : data_(data) {}

  void require_valid() const override { absorb::require_valid(data_); }

  std::vector<std::string> missing_files() const override {
    std::vector<std::string> named = {data_.train, data_.valid, data_.test};
    if (!data_.corpus.empty())
      for (const char* name : {"train.bin", "valid.bin"}) named.push_back((Path(data_.corpus) / name).string());
    return absent(named);
  }

  int64_t vocabulary() const override {
    if (data_.vocabulary > 0) return data_.vocabulary;
    Path facts = data_.corpus.empty() ? Path(data_.train) : Path(data_.corpus) / "train.bin";
    facts.replace_extension(".json");
    require(std::filesystem::exists(facts), "data.vocabulary must state how many ids {} uses", data_.train);
    return read_guarded(facts.string(), [&] { return parse_json(read_file(facts)).get<TokenFacts>().vocabulary; });
  }

  std::shared_ptr<const Dataset> open(int64_t context, uint64_t) const override {
    require_valid();
    require(!data_.corpus.empty() || !data_.valid.empty(), "data has no validation tokens: set data.valid");
    for (const std::string& path : missing_files()) user_error("{} doesn't exist", path);
    const TokenPaths paths =
        data_.corpus.empty() ? TokenPaths{data_.train, data_.valid, data_.test} : token_paths(data_.corpus);
    const TokenFile::Options options{data_.vocabulary, data_.dtype, data_.end_of_document, false};
    return std::make_shared<TokenDataset>(open_token_files(paths, options), context, data_.name(),
                                          order_named(data_.order));
  }

  std::string sentence() const override { return split() + order_sentence(data_.order); }

 private:
  std::string split() const {
    const auto file = [](const std::string& path) { return Path(path).filename().string(); };
    if (!data_.train.empty())
      return fmt::format("Models were trained on {} (token files) and evaluated on {}.", file(data_.train),
                         file(data_.valid));
    return fmt::format("Models were trained and evaluated on the token files of {}.", file(data_.corpus));
  }

  TokensSettings data_;
};

}  // namespace

void fields(Fields& list, TokensSettings& data) {
  fields(list, static_cast<SplitFiles&>(data));
  vocabulary_field(list, data.vocabulary);
  list.field("dtype", data.dtype, {"auto", "uint16", "uint32"},
             "Token files: type of an id; auto: as the .json says, else by the vocabulary.");
  list.field("end_of_document", data.end_of_document, {-1, (int64_t{1} << 32) - 1},
             "Token files: the id that ends a document; -1: as the .json and .idx beside the file say, else none.");
}

void add_tokens(DataSources& sources) {
  sources.add<TokensSettings>("tokens", "token files, by absorb tokens or by another program",
                              [](const TokensSettings& data) { return std::make_shared<Tokens>(data); });
}

}  // namespace absorb
