#include "statistics/documents.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/numbers.h"
#include "statistics/student.h"

namespace absorb {
namespace {

using Rows = std::span<const std::vector<double>>;

struct Shares {
  std::vector<double> of_document;  // of the tokens; sum to 1
  double squares = 0;               // sum of their squares: 1 / squares documents of equal length would weigh the same
  double unbiased = 0;  // makes a weighted sum of squares unbiased for equal variances; n / (n - 1) for equal shares
};

Shares shares_of(std::span<const double> tokens) {
  double total = 0, cubes = 0;
  for (double count : tokens) {
    check(count > 0, "[document_interval] a document needs a token count above 0, got {}", count);
    total += count;
  }
  Shares shares;
  for (double count : tokens) {
    const double share = count / total;
    shares.of_document.push_back(share);
    shares.squares += share * share;
    cubes += share * share * share;
  }
  shares.unbiased = shares.squares / (shares.squares - 2 * cubes + shares.squares * shares.squares);
  return shares;
}

struct Means {
  std::vector<double> of_seed;      // [seeds]
  std::vector<double> of_document;  // [documents]
  double overall = 0;
};

Means means_of(Rows rows, const Shares& shares) {
  Means means;
  means.of_document.resize(shares.of_document.size());
  const auto seeds = static_cast<double>(rows.size());
  for (const auto& row : rows) {
    double mean = 0;
    for (size_t j = 0; j < row.size(); ++j) {
      mean += shares.of_document[j] * row[j];
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

double variance_over_documents(const Means& means, const Shares& shares) {
  double variance = 0;
  for (size_t j = 0; j < means.of_document.size(); ++j) {
    const double part = shares.of_document[j] * (means.of_document[j] - means.overall);
    variance += shares.unbiased * part * part;
  }
  return variance;
}

Variances variances_of(Rows rows, const Means& means, const Shares& shares) {
  const auto seeds = static_cast<double>(rows.size());
  Variances result;
  result.documents = variance_over_documents(means, shares);
  for (size_t j = 0; j < means.of_document.size(); ++j) {
    const double weight = shares.of_document[j] * shares.of_document[j];
    const double document = means.of_document[j] - means.overall;
    for (size_t i = 0; i < rows.size(); ++i) {
      const double residual = rows[i][j] - means.of_seed[i] - document;
      result.both += shares.unbiased * weight * residual * residual / (seeds * (seeds - 1));
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

void set_interval(DocumentInterval& result, double variance, double df) {
  result.standard_error = std::sqrt(variance);
  result.df = df;
  const double half = t_quantile(0.975, df) * result.standard_error;
  result.ci95 = Interval{result.mean - half, result.mean + half};
}

}  // namespace

DocumentInterval document_interval(Rows differences, std::span<const double> tokens) {
  for (const auto& row : differences)
    check(row.size() == tokens.size(), "[document_interval] every seed needs all {} documents, one has {}",
          tokens.size(), row.size());
  const Shares shares = shares_of(tokens);
  const Means means = means_of(differences, shares);
  DocumentInterval result{static_cast<int64_t>(differences.size()),
                          static_cast<int64_t>(tokens.size()),
                          differences.empty() || tokens.empty() ? nan : means.overall,
                          nan,
                          nan,
                          std::nullopt};
  if (result.seeds < 2 || result.documents < 2 || !std::isfinite(result.mean)) return result;
  const Variances part = variances_of(differences, means, shares);
  const double variance = std::max({part.seeds + part.documents - part.both, part.seeds, part.documents, part.both});
  if (!std::isfinite(variance)) return result;
  set_interval(result, variance, satterthwaite(part, variance, static_cast<double>(result.seeds), 1 / shares.squares));
  return result;
}

DocumentInterval document_interval_of_pair(std::span<const double> differences, std::span<const double> tokens) {
  const std::vector<std::vector<double>> row{{differences.begin(), differences.end()}};
  DocumentInterval result = document_interval(row, tokens);  // one seed: the mean, and no interval yet
  if (result.documents < 2 || !std::isfinite(result.mean)) return result;
  const Shares shares = shares_of(tokens);
  const double variance = variance_over_documents(means_of(row, shares), shares);
  set_interval(result, variance, std::max(1.0, 1 / shares.squares - 1));
  return result;
}

}  // namespace absorb
