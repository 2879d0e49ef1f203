#include "training/data/tokeniser/bpe_training.h"

#include <fmt/format.h>

#include <algorithm>
#include <queue>

#include "core/error.h"
#include "training/data/tokeniser/bpe_files.h"

namespace absorb {
namespace {

constexpr std::size_t longest_word = 256;
constexpr int64_t fewest = 2;  // what came once says nothing about the next text

struct Word {
  std::vector<uint32_t> ids;
  int64_t count;
};

struct Pair {
  int64_t count = 0;
  std::vector<uint32_t> words;  // that hold it, or did; some twice
};

/// A pair with the count that it had when it was queued: the true one may be lower by now, never higher.
struct Queued {
  int64_t count;
  uint64_t pair;
  bool operator<(const Queued& other) const { return count != other.count ? count < other.count : pair > other.pair; }
};

class Learner {
 public:
  Learner(const std::vector<std::pair<std::string, int64_t>>& words, BpeModel& model) : model_(model) {
    std::array<uint32_t, 256> id_of{};
    for (const unsigned char byte : byte_order()) {
      id_of[byte] = static_cast<uint32_t>(model_.tokens.size());
      model_.tokens.emplace_back(1, static_cast<char>(byte));
    }
    words_.reserve(words.size());
    for (const auto& [text, count] : words) {
      words_.push_back({{}, count});
      for (const char byte : text) words_.back().ids.push_back(id_of[static_cast<unsigned char>(byte)]);
      count_pairs(static_cast<uint32_t>(words_.size() - 1), +1, nullptr);
    }
    for (const auto& [key, pair] : pairs_) queue_.push({pair.count, key});
  }

  /// Makes one more token, of a text that no other has: what stands between two ends of tokens was merged everywhere in
  /// the same way. False when no pair is left that came often enough.
  bool merge() {
    while (!queue_.empty()) {
      const Queued best = queue_.top();
      queue_.pop();
      const auto found = pairs_.find(best.pair);
      const int64_t count = found == pairs_.end() ? 0 : found->second.count;
      if (count != best.count) {
        if (count >= fewest) queue_.push({count, best.pair});
        continue;
      }
      if (count < fewest) return false;
      const auto left = static_cast<uint32_t>(best.pair >> 32), right = static_cast<uint32_t>(best.pair);
      std::string text = model_.tokens[left] + model_.tokens[right];
      if (text == end_of_text) continue;  // nothing queues it again
      model_.merges.emplace_back(left, right);
      model_.tokens.push_back(std::move(text));
      replace(best.pair);
      return true;
    }
    return false;
  }

 private:
  /// Adds or takes away the pairs of a word. Those for which `is_new` says so also learn that the word holds them.
  void count_pairs(uint32_t number, int64_t sign, const std::function<bool(uint32_t, uint32_t)>& is_new) {
    const Word& word = words_[number];
    for (std::size_t i = 1; i < word.ids.size(); ++i) {
      const uint64_t key = pair_key(word.ids[i - 1], word.ids[i]);
      Pair& pair = pairs_[key];
      pair.count += sign * word.count;
      if (sign < 0 || (is_new && !is_new(word.ids[i - 1], word.ids[i]))) continue;
      if (pair.words.empty() || pair.words.back() != number) pair.words.push_back(number);
      if (is_new) fresh_.push_back(key);
    }
  }

  void replace(uint64_t key) {
    const auto id = static_cast<uint32_t>(model_.tokens.size() - 1);
    const auto left = static_cast<uint32_t>(key >> 32), right = static_cast<uint32_t>(key);
    fresh_.clear();
    const std::vector<uint32_t> holders = std::move(pairs_.at(key).words);
    for (const uint32_t number : holders) {
      std::vector<uint32_t>& ids = words_[number].ids;
      const auto holds = [&](std::size_t i) { return i + 1 < ids.size() && ids[i] == left && ids[i + 1] == right; };
      std::size_t first = 0;
      while (first < ids.size() && !holds(first)) ++first;
      if (first == ids.size()) continue;
      count_pairs(number, -1, nullptr);
      std::size_t to = first;
      for (std::size_t from = first; from < ids.size(); ++to) {
        const bool merged = holds(from);
        ids[to] = merged ? id : ids[from];
        from += merged ? 2 : 1;
      }
      ids.resize(to);
      count_pairs(number, +1, [id](uint32_t a, uint32_t b) { return a == id || b == id; });
    }
    pairs_.erase(key);
    std::sort(fresh_.begin(), fresh_.end());
    fresh_.erase(std::unique(fresh_.begin(), fresh_.end()), fresh_.end());
    for (const uint64_t pair : fresh_) queue_.push({pairs_.at(pair).count, pair});
  }

  BpeModel& model_;
  std::vector<Word> words_;
  std::unordered_map<uint64_t, Pair> pairs_;
  std::priority_queue<Queued> queue_;
  std::vector<uint64_t> fresh_;  // pairs that the newest token is part of
};

}  // namespace

WordCounts::WordCounts(std::size_t most) : most_(most), joiner_(last_safe_cut) {}

void WordCounts::add(std::string_view piece, bool last) {
  joiner_.add(piece, last,
              [this](std::string_view text) { splitter_.split(text, [this](std::string_view word) { count(word); }); });
}

void WordCounts::count(std::string_view word) {
  if (word.size() > longest_word) return;
  const auto found = counts_.find(word);
  if (found != counts_.end()) {
    ++found->second;
    return;
  }
  if (counts_.size() >= most_) forget_rarest();
  counts_.emplace(word, 1);
}

void WordCounts::forget_rarest() {
  for (int64_t rare = 1; counts_.size() > most_ / 2; ++rare)
    std::erase_if(counts_, [rare](const auto& entry) { return entry.second <= rare; });
}

std::vector<std::pair<std::string, int64_t>> WordCounts::sorted() const {
  std::vector<std::pair<std::string, int64_t>> words(counts_.begin(), counts_.end());
  std::sort(words.begin(), words.end());
  return words;
}

BpeModel train_bpe(const std::vector<std::pair<std::string, int64_t>>& words, int64_t vocabulary) {
  check(vocabulary >= bpe_base, "a byte pair encoding of {} ids", vocabulary);
  BpeModel model;
  Learner learner(words, model);
  const int64_t merges = vocabulary - bpe_base;
  while (static_cast<int64_t>(model.merges.size()) < merges)
    require(learner.merge(),
            "the training text is too small for data.vocabulary = {}: no pair of tokens comes twice after {} merges; "
            "set it to at most {}",
            vocabulary, model.merges.size(), static_cast<int64_t>(model.merges.size()) + bpe_base);
  model.end_of_document = static_cast<uint32_t>(model.tokens.size());
  model.tokens.emplace_back(end_of_text);
  model.name = fmt::format("byte pair encoding, {} ids", vocabulary);
  return model;
}

}  // namespace absorb
