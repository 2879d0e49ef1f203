#include "statistics/documents.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/error.h"
#include "statistics/student.h"

namespace absorb {
namespace {

using Rows = std::span<const std::vector<double>>;

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

struct Means {
  std::vector<double> share;        // [documents], sums to 1
  std::vector<double> of_seed;      // [seeds]
  std::vector<double> of_document;  // [documents]
  double overall = 0;
};

Means means_of(Rows rows, std::span<const double> tokens) {
  Means means;
  double total = 0;
  for (double count : tokens) total += count;
  for (double count : tokens) means.share.push_back(count / total);
  means.of_document.resize(tokens.size());
  const auto seeds = static_cast<double>(rows.size());
  for (const auto& row : rows) {
    double mean = 0;
    for (size_t j = 0; j < row.size(); ++j) {
      mean += means.share[j] * row[j];
      means.of_document[j] += row[j] / seeds;
    }
    means.of_seed.push_back(mean);
    means.overall += mean / seeds;
  }
  return means;
}

struct Variances {
  double seeds = 0, documents = 0, both = 0;  // of the overall mean
};

Variances variances_of(Rows rows, const Means& means) {
  const auto seeds = static_cast<double>(rows.size());
  double squares = 0, cubes = 0;
  for (double share : means.share) {
    squares += share * share;
    cubes += share * share * share;
  }
  // Makes the weighted sum of squares unbiased for equal variances; n / (n - 1) for equal shares.
  const double unbiased = squares / (squares - 2 * cubes + squares * squares);
  Variances result;
  for (size_t j = 0; j < means.share.size(); ++j) {
    const double weight = means.share[j] * means.share[j];
    const double document = means.of_document[j] - means.overall;
    result.documents += unbiased * weight * document * document;
    for (size_t i = 0; i < rows.size(); ++i) {
      const double residual = rows[i][j] - means.of_seed[i] - document;
      result.both += unbiased * weight * residual * residual / (seeds * (seeds - 1));
    }
  }
  const double sd = summarize(means.of_seed).sd;
  result.seeds = sd * sd / seeds;
  return result;
}

double satterthwaite(const Variances& part, double variance, double seeds, double effective_documents) {
  const double spread =
      part.seeds * part.seeds / (seeds - 1) + part.documents * part.documents / std::max(1.0, effective_documents - 1);
  return std::max(1.0, spread > 0 ? variance * variance / spread : seeds - 1);
}

}  // namespace

DocumentInterval document_interval(Rows differences, std::span<const double> tokens) {
  for (const auto& row : differences)
    check(row.size() == tokens.size(), "[document_interval] every seed needs all {} documents, one has {}",
          tokens.size(), row.size());
  for (double count : tokens)
    check(count > 0, "[document_interval] a document needs a token count above 0, got {}", count);
  const Means means = means_of(differences, tokens);
  DocumentInterval result{static_cast<int64_t>(differences.size()),
                          static_cast<int64_t>(tokens.size()),
                          differences.empty() || tokens.empty() ? nan : means.overall,
                          nan,
                          nan,
                          std::nullopt};
  if (result.seeds < 2 || result.documents < 2 || !std::isfinite(result.mean)) return result;
  const Variances part = variances_of(differences, means);
  const double variance = std::max({part.seeds + part.documents - part.both, part.seeds, part.documents, part.both});
  if (!std::isfinite(variance)) return result;
  double squares = 0;
  for (double share : means.share) squares += share * share;
  result.standard_error = std::sqrt(variance);
  result.df = satterthwaite(part, variance, static_cast<double>(result.seeds), 1 / squares);
  const double half = t_quantile(0.975, result.df) * result.standard_error;
  result.ci95 = Interval{result.mean - half, result.mean + half};
  return result;
}

}  // namespace absorb
