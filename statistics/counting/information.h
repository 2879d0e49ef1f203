// How much one choice says of another, in bits: I(decision; label), say of the expert that a token is sent to and of
// the one that would have gained most (docs/science.md section 4). Surprising: counted from few observations it is
// never 0, whatever the truth. So the estimate has a correction, and stands beside what permuted labels give.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace absorb {

/// How often decision d met label l: `counts` [decisions][labels], row after row, none below 0.
struct CountTable {
  int64_t decisions = 0, labels = 0;
  std::vector<int64_t> counts;
};

/// One table a stratum, of the size of the largest numbers. Element i of all is from observation i; numbers from 0 on.
/// Without strata (empty) one table. InternalError for no observation, lengths that differ and a number below 0.
std::vector<CountTable> count_pairs(std::span<const int64_t> decisions, std::span<const int64_t> labels,
                                    std::span<const int64_t> strata = {});

struct Information {
  int64_t n = 0;                                   // observations
  double decision_entropy = 0, label_entropy = 0;  // bits, plug-in, given the stratum: neither can be exceeded
  double plug_in = 0;                              // bits
  double corrected = 0;                            // bits; below 0 where there is less than chance alone gives
  double null_mean = 0, null_95 = 0;               // bits, plug-in, of permuted labels: mean and 95 % quantile
  double p = 0;                                    // one-sided; NaN as the null is without permutations
};

inline constexpr int64_t information_permutations = 999;

/// I(decision; label | stratum) = sum over strata of n_s / n I_s; with one table I(decision; label).
/// Plug-in: I_s = H(decision) + H(label) - H(decision, label) of the frequencies.
/// Corrected: each entropy in nats plus (kinds seen - 1) / (2 n_s) (Miller 1955, Note on the bias of information
/// estimates), so that I_s loses (pairs seen - decisions seen - labels seen + 1) / (2 n_s ln 2) bits. It takes what is
/// left out for 0, and corrects too little where most pairs that can be weren't seen.
/// Null: labels permuted within each stratum; p = (1 + those that reach the plug-in estimate) / (1 + permutations),
/// which holds its level at any n. `key` names the draws (the same give the same numbers): one of its own for each of
/// several tables. Takes a draw an observation and permutation, about a second for 65,536 and 999. InternalError
/// without any observation, for a table that isn't of its size, a count or a number of permutations below 0.
Information information(std::span<const CountTable> strata, int64_t permutations = information_permutations,
                        uint64_t key = 0);

}  // namespace absorb
