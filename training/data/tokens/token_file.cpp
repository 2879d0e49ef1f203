#include "training/data/tokens/token_file.h"

#include <algorithm>
#include <bit>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>

#include "core/error.h"
#include "core/text/json.h"
#include "training/data/text/byte_source.h"

namespace absorb {
namespace {

static_assert(std::endian::native == std::endian::little, "token files are read as they lie");

Path beside(const Path& path, const char* extension) {
  return Path(path).replace_extension(extension);
}

int64_t width(const std::string& dtype) {
  return dtype == "uint16" ? 2 : 4;
}

/// Calls `use` with the ids as a span of their type.
template <class Use>
void with_ids(const MappedFile& map, const std::string& dtype, int64_t tokens, const Use& use) {
  const auto count = static_cast<std::size_t>(tokens);
  if (dtype == "uint16")
    use(std::span(reinterpret_cast<const uint16_t*>(map.bytes().data()), count));
  else
    use(std::span(reinterpret_cast<const uint32_t*>(map.bytes().data()), count));
}

std::optional<TokenFacts> read_facts(const Path& path) {
  if (!std::filesystem::exists(path)) return std::nullopt;
  try {
    return parse_json(read_file(path)).get<TokenFacts>();
  } catch (const std::exception&) {
    user_error("{} doesn't describe a token file: write it anew with absorb tokens, or remove it", path.string());
  }
}

}  // namespace

void to_json(nlohmann::json& json, const TokenFacts& facts) {
  json = {{"tokens", facts.tokens},         {"documents", facts.documents}, {"text_bytes", facts.text_bytes},
          {"vocabulary", facts.vocabulary}, {"dtype", facts.dtype},         {"end_of_document", facts.end_of_document},
          {"xxh3_128", facts.hash}};
}

void from_json(const nlohmann::json& json, TokenFacts& facts) {
  facts.tokens = whole_number(json.at("tokens"));
  facts.documents = whole_number(json.at("documents"));
  facts.text_bytes = whole_number(json.at("text_bytes"));
  facts.vocabulary = whole_number(json.at("vocabulary"));
  json.at("dtype").get_to(facts.dtype);
  facts.end_of_document = whole_number(json.at("end_of_document"));
  json.at("xxh3_128").get_to(facts.hash);
}

std::string token_dtype(int64_t vocabulary) {
  return vocabulary <= 65'536 ? "uint16" : "uint32";
}

TokenFile::TokenFile(const Path& path, const Options& options) : path_(path), map_(path) {
  settle(options);
  if (!options.trusted) check_ids();
  find_starts(options);
}

void TokenFile::settle(const Options& options) {
  const auto stated = read_facts(beside(path_, ".json"));
  if (stated) facts_ = *stated;
  if (options.vocabulary > 0) facts_.vocabulary = options.vocabulary;
  require(facts_.vocabulary > 0, "data.vocabulary must state how many ids {} uses (there is no {} to say so)",
          path_.string(), beside(path_, ".json").string());
  if (options.dtype != "auto") facts_.dtype = options.dtype;
  if (facts_.dtype.empty()) facts_.dtype = token_dtype(facts_.vocabulary);
  const auto bytes = static_cast<int64_t>(map_.bytes().size());
  require(bytes > 0, "{} is empty", path_.string());
  require(bytes % width(facts_.dtype) == 0, "{} holds {} bytes, which is no whole number of {} tokens", path_.string(),
          bytes, facts_.dtype);
  facts_.tokens = bytes / width(facts_.dtype);
  require(!stated || stated->tokens == facts_.tokens, "{} holds {} tokens but {} says {}: write it again",
          path_.string(), facts_.tokens, beside(path_, ".json").string(), stated ? stated->tokens : 0);
  // Stated or not: what is trained on is what is recorded.
  const std::string now = hash_file(path_);
  require(facts_.hash.empty() || facts_.hash == now,
          "{} changed since {} was written (hash {}, and {} there): write it again with absorb tokens, or remove the "
          "folder of a cached corpus, which is made anew",
          path_.string(), beside(path_, ".json").string(), now, facts_.hash);
  facts_.hash = now;
}

void TokenFile::check_ids() const {
  with_ids(map_, facts_.dtype, facts_.tokens, [this](auto ids) {
    const auto limit = static_cast<uint64_t>(facts_.vocabulary);
    // The largest id first: a loop that the compiler makes wide.
    if (*std::max_element(ids.begin(), ids.end()) < limit) return;
    const auto wrong = std::find_if(ids.begin(), ids.end(), [limit](auto id) { return id >= limit; });
    user_error("{}: token {} at position {} is beyond the vocabulary of {}", path_.string(), *wrong,
               wrong - ids.begin(), facts_.vocabulary);
  });
}

void TokenFile::find_starts(const Options& options) {
  const Path index = beside(path_, ".idx");
  if (options.end_of_document < 0 && std::filesystem::exists(index)) {
    index_ = std::make_unique<MappedFile>(index);
    const auto count = static_cast<int64_t>(index_->bytes().size() / sizeof(uint64_t));
    starts_ = {reinterpret_cast<const uint64_t*>(index_->bytes().data()), static_cast<std::size_t>(count)};
    require(count > 0 && starts_.front() == 0 && starts_.back() < static_cast<uint64_t>(facts_.tokens) &&
                std::ranges::adjacent_find(starts_, std::greater_equal()) == starts_.end() &&
                (facts_.documents == 0 || facts_.documents == count),
            "{} doesn't belong to {}: write both again, or remove it", index.string(), path_.string());
  } else {
    if (options.end_of_document >= 0) facts_.end_of_document = options.end_of_document;
    found_starts_ = {0};
    with_ids(map_, facts_.dtype, facts_.tokens, [this](auto ids) {
      if (facts_.end_of_document < 0) return;
      for (std::size_t i = 0; i + 1 < ids.size(); ++i)
        if (ids[i] == static_cast<uint64_t>(facts_.end_of_document)) found_starts_.push_back(i + 1);
    });
    starts_ = found_starts_;
  }
  facts_.documents = static_cast<int64_t>(starts_.size());
}

void TokenFile::copy(int64_t begin, int64_t count, int64_t* to) const {
  check(begin >= 0 && count >= 0 && begin + count <= size(), "tokens {} + {} of {}", begin, count, size());
  with_ids(map_, facts_.dtype, facts_.tokens, [=](auto ids) {
    const auto from = ids.begin() + begin;
    std::copy(from, from + count, to);
  });
}

}  // namespace absorb
