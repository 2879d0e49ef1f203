// The interval over seeds x documents that stands beside the one over seeds: would other held-out documents, too, have
// given this difference? Seeds and documents are both taken as random samples, crossed: every seed reads every
// document.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "statistics/summary.h"

namespace absorb {

struct DocumentInterval {
  int64_t seeds = 0, documents = 0;
  double mean = 0;            // nats per token over all documents, averaged over seeds
  double standard_error = 0;  // NaN where there is no interval
  double df = 0;              // Satterthwaite's; NaN where there is no interval
  std::optional<Interval> ci95;
};

/// Model: difference[i][j] = mu + seed_i + document_j + noise_ij, document j weighted by its share of the tokens. With
/// V_s the variance of the mean from the spread of the seeds' means, V_d that from the spread of the documents' means
/// and V_sd that from the residuals, which both contain: variance = V_s + V_d - V_sd, the two-way clustered variance
/// (Cameron, Gelbach and Miller 2011), kept from falling below any of the three. Degrees of freedom after
/// Satterthwaite, the documents counting as 1 / sum of squared shares. Approximate: tests/statistics/documents_test.cpp
/// measures its coverage.
///
/// `differences` [seeds][documents] nats per token of one document; `tokens` [documents], > 0. No interval for one
/// seed, one document or a value that is not finite. InternalError where the lengths differ or a count is not above 0.
DocumentInterval document_interval(std::span<const std::vector<double>> differences, std::span<const double> tokens);

/// The same for one pair of runs (seeds = 1): the documents alone are a sample, variance = V_d with 1 / sum of squared
/// shares - 1 degrees of freedom, at least 1. Says nothing about other seeds. `differences` [documents] nats per token;
/// no interval for fewer than two documents or a value that is not finite. InternalError as above.
DocumentInterval document_interval_of_pair(std::span<const double> differences, std::span<const double> tokens);

}  // namespace absorb
