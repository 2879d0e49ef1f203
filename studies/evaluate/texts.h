// What a model says of a text, and of minimal pairs of sentences.
#pragma once

#include "studies/evaluate/model.h"

namespace absorb {

struct TextResult {
  double loss = 0;           // nats per token
  double bits_per_byte = 0;  // NaN where the bytes aren't known
  int64_t tokens = 0;
};
/// Loss over a file (.txt, .jsonl, either also packed), each token once, in chunks of the model's context (shorter
/// where the text is). UserError where it holds fewer than three tokens.
TextResult evaluate_text(const EvaluatedModel& model, const Path& file, int64_t batch);

/// A grammatical sentence and one that differs from it in what makes it none (BLiMP, arXiv:1912.00582).
struct Pair {
  std::string good, bad;
};
/// Of a .jsonl file: `sentence_good` and `sentence_bad` of every line. UserError naming file and line.
std::vector<Pair> read_pairs(const Path& file);
/// By pair: whether the model gives the good sentence the higher probability, each after the token that ends documents.
/// Equal probabilities are wrong. UserError for a sentence that is longer than the model's context.
std::vector<bool> judge_pairs(const EvaluatedModel& model, const std::vector<Pair>& pairs, int64_t batch);

}  // namespace absorb
