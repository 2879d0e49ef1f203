#include "training/data/vocabulary.h"

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/files.h"
#include "training/data/bpe_files.h"
#include "training/data/tasks.h"
#include "training/data/token_file.h"
#include "training/data/tokeniser.h"

namespace absorb {

int64_t stated_vocabulary(const DataSettings& data) {
  if (data.type == "recall") return make_recall(data, 0)->vocabulary();
  if (data.type == "rule") return make_rule(data, 0)->vocabulary();
  if (data.type == "text") {
    if (data.tokens == "bpe") return data.vocabulary;  // train_bpe makes that many or throws
    return data.tokens == "gpt2" ? bpe_vocabulary(data.tokeniser) : make_tokeniser(data)->vocabulary();
  }
  if (data.vocabulary > 0) return data.vocabulary;
  Path facts = data.corpus.empty() ? Path(data.train) : Path(data.corpus) / "train.bin";
  facts.replace_extension(".json");
  require(std::filesystem::exists(facts), "data.vocabulary must state how many ids {} uses", data.train);
  return nlohmann::json::parse(read_file(facts)).get<TokenFacts>().vocabulary;
}

}  // namespace absorb
