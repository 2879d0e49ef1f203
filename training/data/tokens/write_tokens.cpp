#include "training/data/tokens/write_tokens.h"

#include <fmt/format.h>

#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>
#include <vector>

#include "core/error.h"
#include "training/data/text/byte_source.h"
#include "training/data/tokeniser/bpe_files.h"
#include "training/data/tokeniser/bpe_training.h"
#include "training/data/tokens/corpus.h"
#include "training/data/tokens/token_writer.h"

namespace absorb {
namespace {

using Json = nlohmann::json;
constexpr int format = 1;  // of cached files: a change of what the same settings give must raise it
constexpr std::array splits = {Split::train, Split::valid, Split::test};

/// Everything that the tokens are a function of; paths are not part of it.
Json identity(const TextSettings& data) {
  Json result = {{"format", format}, {"tokens", data.tokens}, {"documents", data.documents}, {"strip", data.strip}};
  if (data.text_field != "text") result["text_field"] = data.text_field;
  if (data.tokens == "bpe") result["vocabulary"] = data.vocabulary;
  for (const Path& file : tokeniser_files(data)) result["tokeniser"].push_back(hash_file(file));
  if (!data.corpus.empty()) {
    result["valid_share"] = data.valid_share;
    result["test_share"] = data.test_share;
    result["split_salt"] = data.split_salt;
  }
  for (const CorpusFile& input : corpus_files(data))
    result["inputs"].push_back(
        {{"split", input.split < 0 ? "by hash" : split_name(splits.at(static_cast<std::size_t>(input.split)))},
         {"kind", without_gz(input.path).extension() == ".jsonl" ? "jsonl" : "text"},
         {"packed", without_gz(input.path) != Path(input.path)},
         {"xxh3_128", hash_file(input.path)}});
  return result;
}

/// Learns an encoding from the training split and leaves it in `folder`.
void train_tokeniser(const TextSettings& data, const Path& folder, const ByteProgress& progress) {
  WordCounts words;
  const auto sink = [&words](Split split, const Piece& piece) {
    if (split == Split::train) words.add(piece.text, piece.last);
  };
  read_corpus(data, sink, progress);
  const auto counts = words.sorted();
  require(!counts.empty(), "{} holds no training text to learn data.tokens = \"bpe\" from",
          data.corpus.empty() ? data.train : data.corpus);
  write_bpe(train_bpe(counts, data.vocabulary), folder);
}

/// Writes the three splits while documents stream by.
class Job {
 public:
  Job(const TokensRequest& request, const Path& folder) : request_(request) {
    for (const CorpusFile& input : corpus_files(request.data)) before_[input.path] = file_state(input.path);
    const auto tokeniser = this->tokeniser(folder);
    for (const Split split : splits)
      if (split_share(request.data, split) > 0)
        writers_[static_cast<std::size_t>(split)] =
            std::make_unique<TokenWriter>(folder / fmt::format("{}.bin", split_name(split)), tokeniser);
  }

  void read() {
    const auto sink = [this](Split split, const Piece& piece) {
      writers_[static_cast<std::size_t>(split)]->add(piece.text, piece.last);
    };
    read_corpus(request_.data, sink, progress(false));
  }

  TokensResult finish() {
    for (const auto& [path, state] : before_)
      require(file_state(path) == state, "{} changed while it was read: run the command again", path);
    const Json source = {{"settings", identity(request_.data)}, {"files", files()}};
    TokensResult result;
    for (const Split split : splits) {
      const auto i = static_cast<std::size_t>(split);
      if (!writers_[i]) continue;
      result[i] = writers_[i]->finish(source);
    }
    for (const Split split : splits) require_documents(result, split);
    return result;
  }

 private:
  // An encoding that is learned takes a pass of its own, before the one that writes.
  bool learns() const { return request_.data.tokens == "bpe"; }

  ByteProgress progress(bool learning) const {
    const std::uintmax_t bytes = corpus_bytes(request_.data);
    const std::uintmax_t before = learns() && !learning ? bytes : 0, total = learns() ? 2 * bytes : bytes;
    return [this, before, total](std::uintmax_t taken) {
      if (request_.progress) request_.progress(before + taken, total);
    };
  }

  std::shared_ptr<Tokeniser> tokeniser(const Path& folder) const {
    if (!learns()) return make_tokeniser(request_.data);
    train_tokeniser(request_.data, folder, progress(true));
    return std::make_shared<Bpe>(read_bpe(folder));
  }

  Json files() const {
    Json list = Json::array();
    for (const CorpusFile& input : corpus_files(request_.data)) list.push_back(Path(input.path).filename().string());
    return list;
  }

  void require_documents(const TokensResult& result, Split split) const {
    const auto i = static_cast<std::size_t>(split);
    if (!writers_[i] || result[i].documents > 0) return;
    const auto total = result[0].documents + result[1].documents + result[2].documents;
    const std::array paths = {request_.data.train, request_.data.valid, request_.data.test};
    const std::string& path = request_.data.corpus.empty() ? paths[i] : request_.data.corpus;
    require(total > 0 && !request_.data.corpus.empty(), "{} holds no text", path);
    user_error("{} has {} document{}: none falls into {} (its share is {}); set data.documents or the shares", path,
               total, total == 1 ? "" : "s", split_name(split), split_share(request_.data, split));
  }

  const TokensRequest& request_;
  std::map<std::string, std::string> before_;  // file_state of each file
  std::array<std::unique_ptr<TokenWriter>, 3> writers_;
};

void require_present(const TextSettings& data) {
  require_valid(data);
  for (const std::string& path : missing_files(data))
    user_error("{} doesn't exist (scripts/setup unpacks the default corpus)", path);
}

bool is_free(const Path& folder) {
  std::error_code error;
  return !std::filesystem::exists(folder, error) || std::filesystem::is_empty(folder, error);
}

TokensResult write_staged(const TokensRequest& request, const Path& staging) {
  Job job(request, staging);
  job.read();
  return job.finish();
}

}  // namespace

TokensResult write_tokens(const TokensRequest& request) {
  require_present(request.data);
  require(is_free(request.folder), "{} is in use: name a new folder", request.folder.string());
  StagedFolder folder(request.folder);
  TokensResult result = write_staged(request, folder.path());
  require(folder.publish(), "{} is in use: name a new folder", request.folder.string());
  return result;
}

Path cached_tokens(const TextSettings& data, const std::function<void(std::uintmax_t, std::uintmax_t)>& progress) {
  require_present(data);
  const Path folder = Path(cache_folder(data)) / hash_hex(identity(data).dump());
  if (is_free(folder)) {
    StagedFolder staged(folder);
    write_staged({data, folder, progress}, staged.path());
    staged.publish();  // if another process was faster, its files are the same
  }
  return folder;
}

}  // namespace absorb
