#include "studies/evaluate/texts.h"

#include <torch/types.h>

#include <cmath>
#include <numeric>

#include "core/error.h"
#include "core/numbers.h"
#include "core/text/json.h"
#include "studies/folder/scratch.h"
#include "training/data/tokeniser/tokeniser.h"
#include "training/data/tokens/token_dataset.h"
#include "training/data/tokens/write_tokens.h"
#include "training/evaluate.h"

namespace absorb {
namespace {

/// Summed nats of each sequence: [N] double, of ids that follow the token which ends documents.
Tensor nats_of(const EvaluatedModel& model, const std::vector<std::vector<uint32_t>>& sentences, int64_t first) {
  std::size_t longest = 0;
  for (const auto& ids : sentences) longest = std::max(longest, ids.size());
  const auto rows = static_cast<int64_t>(sentences.size()), items = static_cast<int64_t>(longest);
  Tensor tokens = at::full({rows, items}, first, at::kLong), targets = at::full({rows, items}, -1, at::kLong);
  auto token = tokens.accessor<int64_t, 2>(), target = targets.accessor<int64_t, 2>();
  for (int64_t row = 0; row < rows; ++row) {
    const auto& ids = sentences[static_cast<std::size_t>(row)];
    for (int64_t i = 0; i < static_cast<int64_t>(ids.size()); ++i) {
      target[row][i] = ids[static_cast<std::size_t>(i)];
      if (i + 1 < items) token[row][i + 1] = ids[static_cast<std::size_t>(i)];
    }
  }
  const at::NoGradGuard no_grad;
  const at::Device device = model.run.device();
  Pass pass{.in = {.step = at::zeros({}, at::TensorOptions().dtype(at::kLong).device(device))}};
  return model.run.losses()({tokens.to(device), targets.to(device)}, pass).to(at::kDouble).sum(1).cpu();
}

}  // namespace

TextResult evaluate_text(const EvaluatedModel& model, const Path& file, int64_t batch) {
  const ScratchFolder scratch("text");
  TokensRequest request;
  request.data = model.text;
  request.data.train = file.string();
  for (const std::string& missing : missing_files(request.data)) user_error("{} doesn't exist", missing);
  request.folder = scratch.path() / "tokens";
  const TokenFacts facts = write_tokens(request)[0];
  require(facts.tokens >= 3, "{}: holds no text to speak of: {} tokens", shown(file), facts.tokens);
  const int64_t context = std::min(model.run.settings().model.context, facts.tokens - 1);
  const Path written = request.folder / "train.bin";
  TokenFiles files;
  for (const Split split : {Split::train, Split::valid})
    files[static_cast<std::size_t>(split)] = std::make_unique<TokenFile>(written, TokenFile::Options{.trusted = true});
  const TokenDataset data(std::move(files), context, file.string());
  const Evaluation found = evaluate(model.run.losses(), data, {Split::valid, batch, 0, 0}, model.run.device());
  const double bytes = data.bytes_per_token(Split::valid);
  return {found.loss, bytes > 0 ? found.loss / std::log(2.0) / bytes : nan, found.tokens};
}

std::vector<Pair> read_pairs(const Path& file) {
  std::vector<Pair> out;
  const std::string text = read_file(file);
  int64_t number = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view line = std::string_view(text).substr(begin, end - begin);
    begin = end + 1;
    ++number;
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    const Json json = parse_json(line);
    const auto has = [&](const char* key) { return json.is_object() && json.contains(key) && json[key].is_string(); };
    require(has("sentence_good") && has("sentence_bad"),
            "{}:{}: a pair is a JSON object with the texts `sentence_good` and `sentence_bad`", shown(file), number);
    out.push_back({json["sentence_good"], json["sentence_bad"]});
  }
  require(!out.empty(), "{}: holds no pairs", shown(file));
  return out;
}

std::vector<bool> judge_pairs(const EvaluatedModel& model, const std::vector<Pair>& pairs, int64_t batch) {
  const auto tokeniser = make_tokeniser(model.text);
  const int64_t context = model.run.settings().model.context;
  std::vector<std::vector<uint32_t>> sentences;
  for (const Pair& pair : pairs)
    for (const std::string* text : {&pair.good, &pair.bad}) {
      sentences.emplace_back();
      tokeniser->encode(*text, sentences.back());
      require(std::ssize(sentences.back()) <= context, "a sentence of {} tokens in a context of {}: \"{}\"",
              sentences.back().size(), context, text->substr(0, 60));
    }
  std::vector<std::size_t> order(sentences.size());  // those of one length together
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, {}, [&](std::size_t i) { return sentences[i].size(); });
  std::vector<double> nats(sentences.size());
  for (std::size_t begin = 0; begin < order.size(); begin += static_cast<std::size_t>(batch)) {
    const std::size_t end = std::min(begin + static_cast<std::size_t>(batch), order.size());
    std::vector<std::vector<uint32_t>> together;
    for (std::size_t i = begin; i < end; ++i) together.push_back(sentences[order[i]]);
    const Tensor sums = nats_of(model, together, tokeniser->end_of_document());
    for (std::size_t i = begin; i < end; ++i) nats[order[i]] = sums[static_cast<int64_t>(i - begin)].item<double>();
  }
  std::vector<bool> right;
  for (std::size_t pair = 0; pair < pairs.size(); ++pair) right.push_back(nats[2 * pair] < nats[2 * pair + 1]);
  return right;
}

}  // namespace absorb
