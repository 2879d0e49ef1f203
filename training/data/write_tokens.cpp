#include "training/data/write_tokens.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>
#include <vector>

#include "core/error.h"
#include "training/data/byte_source.h"
#include "training/data/documents.h"
#include "training/data/token_writer.h"

namespace absorb {
namespace {

using Json = nlohmann::json;
constexpr int format = 1;  // of cached files: a change of what the same settings give must raise it
constexpr std::array splits = {Split::train, Split::valid, Split::test};

/// One file of text, and the split that gets it (none: its documents are dealt by their hash).
struct Input {
  std::string path;
  int split = -1;
};

std::vector<Input> inputs(const DataSettings& data) {
  if (!data.corpus.empty()) return {{data.corpus}};
  std::vector<Input> list;
  const std::array paths = {data.train, data.valid, data.test};
  for (int split = 0; split < 3; ++split)
    if (const auto& path = paths[static_cast<std::size_t>(split)]; !path.empty()) list.push_back({path, split});
  return list;
}

double share(const DataSettings& data, Split split) {
  if (data.corpus.empty()) {
    const std::array paths = {&data.train, &data.valid, &data.test};
    return paths[static_cast<std::size_t>(split)]->empty() ? 0.0 : 1.0;
  }
  return split == Split::valid  ? data.valid_share
         : split == Split::test ? data.test_share
                                : 1.0 - data.valid_share - data.test_share;
}

/// Everything that the tokens are a function of; paths are not part of it.
Json identity(const DataSettings& data) {
  Json result = {{"format", format}, {"tokens", data.tokens}, {"documents", data.documents}, {"strip", data.strip}};
  if (!data.corpus.empty()) {
    result["valid_share"] = data.valid_share;
    result["test_share"] = data.test_share;
    result["split_salt"] = data.split_salt;
  }
  for (const Input& input : inputs(data))
    result["inputs"].push_back(
        {{"split", input.split < 0 ? "by hash" : split_name(splits.at(static_cast<std::size_t>(input.split)))},
         {"kind", without_gz(input.path).extension() == ".jsonl" ? "jsonl" : "text"},
         {"packed", without_gz(input.path) != Path(input.path)},
         {"xxh3_128", hash_file(input.path)}});
  return result;
}

/// A document's split: a function of its text (of its first piece, if it is long) and the salt alone.
Split deal(const DataSettings& data, std::string_view text) {
  const uint64_t hash = XXH3_64bits_withSeed(text.data(), text.size(), static_cast<uint64_t>(data.split_salt));
  const double place = static_cast<double>(hash >> 11) * 0x1p-53;
  return place < data.test_share                      ? Split::test
         : place < data.test_share + data.valid_share ? Split::valid
                                                      : Split::train;
}

/// Writes the three splits while documents stream by.
class Job {
 public:
  Job(const TokensRequest& request, const Path& folder)
      : request_(request), rules_{request.data.documents, request.data.strip} {
    const auto tokeniser = make_tokeniser(request.data.tokens);
    for (const Split split : splits)
      if (share(request.data, split) > 0)
        writers_[static_cast<std::size_t>(split)] =
            std::make_unique<TokenWriter>(folder / fmt::format("{}.bin", split_name(split)), tokeniser);
    for (const Input& input : inputs(request.data)) total_ += std::filesystem::file_size(input.path);
  }

  void read(const Input& input) {
    auto split = static_cast<Split>(input.split);
    const auto sink = [&](const Piece& piece) {
      if (input.split < 0 && piece.first) split = deal(request_.data, piece.text);
      writers_[static_cast<std::size_t>(split)]->add(piece.text, piece.last);
    };
    read_documents(input.path, rules_, sink, [this](std::uintmax_t taken) {
      if (request_.progress) request_.progress(done_ + taken, total_);
    });
    done_ += std::filesystem::file_size(input.path);
  }

  TokensResult finish() {
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
  Json files() const {
    Json list = Json::array();
    for (const Input& input : inputs(request_.data)) list.push_back(Path(input.path).filename().string());
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
               total, total == 1 ? "" : "s", split_name(split), share(request_.data, split));
  }

  const TokensRequest& request_;
  DocumentRules rules_;
  std::array<std::unique_ptr<TokenWriter>, 3> writers_;
  std::uintmax_t done_ = 0, total_ = 0;
};

void require_present(const DataSettings& data) {
  require(data.type == "text", "data.type = \"{}\" is not made of text", data.type);
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
  for (const Input& input : inputs(request.data)) job.read(input);
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

Path cached_tokens(const DataSettings& data, const std::function<void(std::uintmax_t, std::uintmax_t)>& progress) {
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
