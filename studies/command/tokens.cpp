#include <unistd.h>

#include <iostream>

#include "core/error.h"
#include "studies/command/commands.h"
#include "studies/study/study.h"
#include "training/data/tokeniser/bpe_files.h"
#include "training/data/tokens/write_tokens.h"

namespace absorb {

int tokens_command(const TokensOptions& options) {
  Settings data = options.study.empty() ? Settings() : read_study(options.study).base.table("data");
  for (const std::string& set : options.sets) data.merge(Settings::from_assignment(set));
  TokensRequest request;
  const DataSettings chosen = read_data(data);
  require(chosen.type == "text", "absorb tokens turns text into token files; data.type is \"{}\"", chosen.type);
  request.data = text_settings(chosen);
  require_valid(request.data);
  for (const std::string& file : missing_files(request.data)) user_error("{} doesn't exist", file);
  request.folder = options.out;
  const bool terminal = ::isatty(STDERR_FILENO) != 0;
  int shown = -1;
  request.progress = [&](std::uintmax_t done, std::uintmax_t total) {
    const int percent = total == 0 ? 100 : static_cast<int>(100 * done / total);
    if (!terminal || percent == shown) return;
    shown = percent;
    std::cerr << fmt::format("\r{:3} %", percent) << std::flush;
  };
  const TokensResult result = write_tokens(request);
  if (shown >= 0) std::cerr << '\r';
  for (const Split split : {Split::train, Split::valid, Split::test}) {
    const TokenFacts& facts = result[static_cast<std::size_t>(split)];
    if (facts.tokens > 0)
      std::cout << fmt::format("{}: {} tokens, {} documents, vocabulary {}, {}\n",
                               (options.out / split_name(split)).string() + ".bin", facts.tokens, facts.documents,
                               facts.vocabulary, facts.dtype);
  }
  if (request.data.tokens == "bpe")
    std::cout << fmt::format("{0}/{1}, {0}/{2}: the encoding; other text: --set tokens=gpt2 --set tokeniser={0}\n",
                             options.out.string(), encoder_file, merges_file);
  return exit_done;
}

}  // namespace absorb
