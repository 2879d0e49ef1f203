#include "compensation/measures/work.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>

#include "compensation/graph/nodes.h"
#include "core/random.h"

namespace absorb {
namespace {

constexpr int cell_format = 1;

double median_of(std::vector<double> errors) {
  for (double& error : errors)
    if (std::isnan(error)) error = std::numeric_limits<double>::infinity();
  const auto middle = errors.begin() + static_cast<std::ptrdiff_t>(errors.size() / 2);
  std::nth_element(errors.begin(), middle, errors.end());
  return *middle;
}

std::string note_of(const SampleSizes& sizes, int64_t samples, std::size_t edges, double median) {
  if (edges == 0) return fmt::format("No edge is above its noise with {} {}.", samples, sizes.unit);
  if (median <= sizes.precision) return {};
  if (!std::isfinite(median))
    return fmt::format("The standard errors are not known with only {} {}.", samples, sizes.unit);
  const double ratio = median / sizes.precision;
  const auto needed = static_cast<int64_t>(std::ceil(static_cast<double>(samples) * (ratio * ratio - 1)));
  return fmt::format(
      "The median relative standard error of {} edges above their noise is {:.3g} with {} {}; precision {:g} needs "
      "about {} more.",
      edges, median, samples, sizes.unit, sizes.precision, std::max<int64_t>(1, needed));
}

}  // namespace

std::vector<int64_t> shuffled(int64_t count, uint64_t key) {
  std::vector<int64_t> order(static_cast<std::size_t>(count));
  std::iota(order.begin(), order.end(), 0);
  Random random(key);
  for (std::size_t left = order.size(); left > 1; --left) std::swap(order[left - 1], order[random.below(left)]);
  return order;
}

double entry(const Tensor& matrix, std::size_t row, std::size_t column) {
  return matrix.const_data_ptr<double>()[static_cast<int64_t>(row) * matrix.size(1) + static_cast<int64_t>(column)];
}

std::vector<int64_t> shuffled_sequences(int64_t held_out, uint64_t epoch) {
  return shuffled(held_out, stream_key(epoch, "compensation/sequences"));
}

Sampled sample_until_precise(const SampleSizes& sizes, const std::function<std::vector<double>(int64_t)>& measure) {
  for (int64_t samples = std::min(sizes.first, sizes.most);; samples = std::min(2 * samples, sizes.most)) {
    const std::vector<double> errors = measure(samples);
    const double median = errors.empty() ? std::numeric_limits<double>::infinity() : median_of(errors);
    if (median <= sizes.precision || samples >= sizes.most)
      return {samples, note_of(sizes, samples, errors.size(), median)};
  }
}

std::string measurement_identity(const std::string& measure, const Subject& subject, const Json& settings) {
  return hash_hex(
      Json{{"measure", measure}, {"format", cell_format}, {"subject", subject.identity()}, {"settings", settings}}
          .dump());
}

Work::Work(std::string measure, Subject& subject, const MeasureContext& context)
    : measure_(std::move(measure)), subject_(subject.identity()), context_(context), cells_(context.cache) {}

const Json& Work::get(const Json& piece, const std::string& next, const std::function<Json()>& make) {
  if (context_.progress) context_.progress(measure_ + ": " + next, done_, total_);
  ++done_;
  Json key{{"measure", measure_}, {"format", cell_format}, {"subject", subject_}};
  key.update(piece);
  return cells_.get(key, [&] {
    const auto start = std::chrono::steady_clock::now();
    Json value = make();
    seconds_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return value;
  });
}

std::vector<std::string> names_of(std::span<const Group> groups) {
  std::vector<std::string> names;
  for (const Group& group : groups) names.push_back(group.name);
  return names;
}

std::vector<GraphNode> nodes_of(std::span<const Group> groups) {
  std::vector<GraphNode> nodes;
  for (const Group& group : groups) nodes.push_back(node_of(group));
  return nodes;
}

}  // namespace absorb
