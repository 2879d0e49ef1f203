#include "training/optimiser/rates.h"

#include <fnmatch.h>

#include "core/error.h"

namespace absorb {
namespace {

bool chosen(const std::string& word, const Slice& slice) {
  if (word == "routers") return is_router(slice.component.part);
  if (word == "backbone") return !is_router(slice.component.part);
  return fits(word, slice.name);
}

void require_fit(const Parameters& parameters, const std::string& pattern, const std::string& key) {
  bool found = false;
  parameters.each_slice([&](const Slice& slice, int64_t, int64_t) { found = found || chosen(pattern, slice); });
  require(found, "training.{}: \"{}\" fits no parameter of this run; names look like {}", key, pattern,
          parameters.stored().back().slices[0].name);
}

double ratio_at(const Slice& slice, const TrainingSettings& settings, int64_t step) {
  if (!slice.trained) return 0;
  const auto now = static_cast<double>(step);
  for (const auto& [pattern, last] : settings.freeze)
    if (now > last && fits(pattern, slice.name)) return 0;
  for (const auto& [pattern, last] : settings.thaw)
    if (now <= last && fits(pattern, slice.name)) return 0;
  double ratio = 1;
  for (const auto& [pattern, value] : settings.rates)
    if (fits(pattern, slice.name)) ratio = value;
  return ratio;
}

}  // namespace

bool fits(const std::string& pattern, const std::string& name) {
  return ::fnmatch(pattern.c_str(), name.c_str(), 0) == 0;
}

void select_trained(const Parameters& parameters, const TrainingSettings& settings) {
  for (const std::string& word : settings.train) require_fit(parameters, word, "train");
  for (const auto& [pattern, value] : settings.rates) require_fit(parameters, pattern, "rates");
  for (const auto& [pattern, value] : settings.freeze) require_fit(parameters, pattern, "freeze");
  for (const auto& [pattern, value] : settings.thaw) require_fit(parameters, pattern, "thaw");
  if (settings.train.empty()) return;
  parameters.train_only([&](const Slice& slice) {
    return std::any_of(settings.train.begin(), settings.train.end(),
                       [&](const std::string& word) { return chosen(word, slice); });
  });
}

std::vector<RateRange> rate_ranges(const Parameters& parameters, const TrainingSettings& settings, int64_t step) {
  std::vector<RateRange> ranges;
  parameters.each_slice([&](const Slice& slice, int64_t begin, int64_t end) {
    const double ratio = ratio_at(slice, settings, step);
    if (!ranges.empty() && ranges.back().ratio == ratio)
      ranges.back().end = end;
    else
      ranges.push_back({begin, end, ratio});
  });
  return ranges;
}

}  // namespace absorb
