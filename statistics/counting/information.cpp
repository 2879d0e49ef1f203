#include "statistics/counting/information.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include "core/error.h"
#include "core/numbers.h"
#include "core/random.h"

namespace absorb {
namespace {

using Counts = std::vector<int64_t>;

int64_t total(const Counts& counts) {
  return std::reduce(counts.begin(), counts.end(), int64_t{0});
}

int64_t seen(const Counts& counts) {
  return std::count_if(counts.begin(), counts.end(), [](int64_t count) { return count > 0; });
}

/// n H in bits: n log n - sum of c log c.
double entropies(const Counts& counts) {
  const auto bits = [](int64_t count) {
    return count > 0 ? static_cast<double>(count) * std::log2(static_cast<double>(count)) : 0.0;
  };
  double sum = bits(total(counts));
  for (const int64_t count : counts) sum -= bits(count);
  return sum;
}

struct Margins {
  Counts decisions, labels;
};

Margins margins_of(const CountTable& table) {
  check(table.decisions >= 0 && table.labels >= 0 &&
            table.counts.size() == static_cast<size_t>(table.decisions * table.labels),
        "[information] {} counts are no table of {} decisions and {} labels", table.counts.size(), table.decisions,
        table.labels);
  Margins margins{Counts(static_cast<size_t>(table.decisions)), Counts(static_cast<size_t>(table.labels))};
  for (size_t i = 0; i < table.counts.size(); ++i) {
    check(table.counts[i] >= 0, "[information] a count is {}", table.counts[i]);
    margins.decisions[i / margins.labels.size()] += table.counts[i];
    margins.labels[i % margins.labels.size()] += table.counts[i];
  }
  return margins;
}

/// One stratum whose labels are permuted.
class Shuffled {
 public:
  Shuffled(const CountTable& table, Margins margins) : margins_(std::move(margins)), counts_(table.counts.size()) {
    for (size_t label = 0; label < margins_.labels.size(); ++label)
      labels_.insert(labels_.end(), static_cast<size_t>(margins_.labels[label]), static_cast<uint32_t>(label));
  }

  /// n H(decision, label) of the next permutation. Labels are drawn for one decision after the other.
  double joint(Random& random) {
    std::ranges::fill(counts_, 0);
    size_t place = 0;
    for (size_t decision = 0; decision < margins_.decisions.size(); ++decision)
      for (int64_t i = 0; i < margins_.decisions[decision]; ++i, ++place) {
        std::swap(labels_[place], labels_[place + random.below(labels_.size() - place)]);
        ++counts_[decision * margins_.labels.size() + labels_[place]];
      }
    return entropies(counts_);
  }

 private:
  Margins margins_;
  Counts counts_;
  std::vector<uint32_t> labels_;
};

/// What permuted labels give; `of_margins`: n times the entropies of decisions and of labels, which no permutation
/// moves.
void add_null(Information& result, std::vector<Shuffled>& strata, double of_margins, int64_t permutations,
              uint64_t key) {
  Random random(key);
  const auto n = static_cast<double>(result.n);
  std::vector<double> drawn;
  int64_t reaching = 0;
  for (int64_t permutation = 0; permutation < permutations; ++permutation) {
    double joint = 0;
    for (Shuffled& stratum : strata) joint += stratum.joint(random);
    drawn.push_back((of_margins - joint) / n);
    reaching += drawn.back() >= result.plug_in - 1e-12 ? 1 : 0;
  }
  std::ranges::sort(drawn);
  const auto count = static_cast<double>(permutations);
  result.null_mean = std::reduce(drawn.begin(), drawn.end()) / count;
  result.null_95 = drawn[static_cast<size_t>(std::ceil(0.95 * count)) - 1];
  result.p = static_cast<double>(1 + reaching) / (1 + count);
}

}  // namespace

std::vector<CountTable> count_pairs(std::span<const int64_t> decisions, std::span<const int64_t> labels,
                                    std::span<const int64_t> strata) {
  check(!decisions.empty() && decisions.size() == labels.size() && (strata.empty() || strata.size() == labels.size()),
        "[count_pairs] observations are pairs, but got {} decisions, {} labels, {} strata", decisions.size(),
        labels.size(), strata.size());
  const auto kinds = [](std::span<const int64_t> values) {
    check(values.empty() || std::ranges::min(values) >= 0, "[count_pairs] a number is below 0");
    return values.empty() ? int64_t{1} : std::ranges::max(values) + 1;
  };
  const int64_t rows = kinds(decisions), columns = kinds(labels);
  std::vector<CountTable> tables(static_cast<size_t>(kinds(strata)),
                                 {rows, columns, Counts(static_cast<size_t>(rows * columns))});
  for (size_t i = 0; i < decisions.size(); ++i) {
    CountTable& table = tables[strata.empty() ? 0 : static_cast<size_t>(strata[i])];
    ++table.counts[static_cast<size_t>(decisions[i] * columns + labels[i])];
  }
  return tables;
}

Information information(std::span<const CountTable> strata, int64_t permutations, uint64_t key) {
  check(permutations >= 0, "[information] {} permutations", permutations);
  Information result{0, 0, 0, 0, 0, nan, nan, nan};
  double decisions = 0, labels = 0, joint = 0, bias = 0;  // n times an entropy, in bits; n times the bias, in nats
  std::vector<Shuffled> shuffled;
  for (const CountTable& table : strata) {
    Margins margins = margins_of(table);
    if (total(table.counts) == 0) continue;
    result.n += total(table.counts);
    decisions += entropies(margins.decisions);
    labels += entropies(margins.labels);
    joint += entropies(table.counts);
    bias += static_cast<double>(seen(table.counts) - seen(margins.decisions) - seen(margins.labels) + 1) / 2;
    shuffled.emplace_back(table, std::move(margins));
  }
  check(result.n > 0, "[information] there are no observations");
  const auto n = static_cast<double>(result.n);
  result.decision_entropy = decisions / n;
  result.label_entropy = labels / n;
  result.plug_in = (decisions + labels - joint) / n;
  result.corrected = result.plug_in - bias / (n * std::numbers::ln2);
  if (permutations > 0) add_null(result, shuffled, decisions + labels, permutations, key);
  return result;
}

}  // namespace absorb
