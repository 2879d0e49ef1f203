#include "training/data/tokeniser/bpe.h"

#include <xxhash.h>

#include <functional>
#include <queue>

#include "core/error.h"

namespace absorb {
namespace {

// Of the words that are remembered; together they take some 30 MB.
constexpr std::size_t longest_seen = 64, most_seen = 1 << 18;
constexpr uint32_t none = ~uint32_t{0};

/// A word as a linked list of ids.
struct Symbol {
  uint32_t id, before, after;
};

/// A pair that may be merged. The earliest learned goes first, the leftmost among its equals.
struct Candidate {
  uint32_t rank, at, left, right, merged;
  bool operator>(const Candidate& other) const { return rank != other.rank ? rank > other.rank : at > other.at; }
};

}  // namespace

std::size_t Bpe::Hash::operator()(std::string_view text) const {
  return XXH3_64bits(text.data(), text.size());
}

Bpe::Bpe(BpeModel model, std::vector<WordSplitter> words) : model_(std::move(model)), words_(std::move(words)) {
  std::unordered_map<std::string_view, uint32_t> ids;
  for (uint32_t id = 0; id < model_.tokens.size(); ++id) ids.emplace(model_.tokens[id], id);
  const auto id_of = [&ids](const std::string& bytes) {
    const auto found = ids.find(bytes);
    check(found != ids.end(), "a byte pair encoding lacks one of its own tokens");
    return found->second;
  };
  for (std::size_t byte = 0; byte < bytes_.size(); ++byte)
    bytes_[byte] = id_of(std::string(1, static_cast<char>(byte)));
  for (uint32_t rank = 0; rank < model_.merges.size(); ++rank) {
    const auto [left, right] = model_.merges[rank];
    merges_.try_emplace(pair_key(left, right), Merge{rank, id_of(model_.tokens.at(left) + model_.tokens.at(right))});
  }
  if (model_.whole_words) whole_ = std::move(ids);
}

void Bpe::encode(std::string_view text, std::vector<uint32_t>& ids) {
  split(text, 0, ids);
}

void Bpe::split(std::string_view text, std::size_t step, std::vector<uint32_t>& ids) {
  if (step == words_.size()) return encode_word(text, ids);
  words_[step].split(text, [&](std::string_view word) { split(word, step + 1, ids); });
}

void Bpe::encode_word(std::string_view word, std::vector<uint32_t>& ids) {
  if (word.size() > longest_seen) return merge_word(word, ids);
  auto found = seen_.find(word);
  if (found == seen_.end()) {
    if (seen_.size() >= most_seen) seen_.clear();
    found = seen_.emplace(word, std::vector<uint32_t>()).first;
    merge_word(word, found->second);
  }
  ids.insert(ids.end(), found->second.begin(), found->second.end());
}

const Bpe::Merge* Bpe::merge_of(uint32_t left, uint32_t right) const {
  const auto found = merges_.find(pair_key(left, right));
  return found == merges_.end() ? nullptr : &found->second;
}

void Bpe::merge_word(std::string_view word, std::vector<uint32_t>& ids) const {
  if (const auto whole = whole_.find(word); whole != whole_.end()) return ids.push_back(whole->second);
  std::vector<Symbol> symbols(word.size());
  std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> candidates;
  const auto offer = [&](uint32_t at) {
    if (at == none || symbols[at].after == none) return;
    const uint32_t left = symbols[at].id, right = symbols[symbols[at].after].id;
    if (const Merge* merge = merge_of(left, right)) candidates.push({merge->rank, at, left, right, merge->id});
  };
  const auto size = static_cast<uint32_t>(word.size());
  for (uint32_t at = 0; at < size; ++at)
    symbols[at] = {bytes_[static_cast<unsigned char>(word[at])], at > 0 ? at - 1 : none, at + 1 < size ? at + 1 : none};
  for (uint32_t at = 0; at < size; ++at) offer(at);
  while (!candidates.empty()) {
    const Candidate best = candidates.top();
    candidates.pop();
    Symbol& left = symbols[best.at];
    // A neighbour may have taken one of the two away since.
    if (left.id != best.left || left.after == none || symbols[left.after].id != best.right) continue;
    Symbol& right = symbols[left.after];
    left.id = best.merged;
    left.after = right.after;
    right.id = none;
    if (left.after != none) symbols[left.after].before = best.at;
    offer(left.before);
    offer(best.at);
  }
  for (uint32_t at = 0; at != none && at < size; at = symbols[at].after) ids.push_back(symbols[at].id);
}

std::string Bpe::decode(std::span<const uint32_t> ids) const {
  std::string text;
  for (const uint32_t id : ids) {
    check(id < model_.tokens.size(), "id {} is beyond the vocabulary of {}", id, model_.tokens.size());
    text += model_.tokens[id];
  }
  return text;
}

}  // namespace absorb
