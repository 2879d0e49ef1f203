#include "compensation/measures/coupling.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "compensation/measures/work.h"
#include "core/error.h"
#include "core/random.h"

namespace absorb {
namespace {

constexpr int64_t block_examples = 32;
constexpr int64_t columns_at_once = 1 << 16;  // of a gradient that is made double

/// [components, n * n]: Gram matrices without their diagonals.
Tensor off_diagonal(const Tensor& grams) {
  const int64_t n = grams.size(1);
  return (grams * (1 - at::eye(n, grams.options()))).reshape({grams.size(0), n * n});
}

/// [components, components], U of one block. The diagonal: E[K_ab^2] over sketches is (1 + c - 2 c^2) (g_a . g_b)^2 + c
/// |g_a|^2 |g_b|^2 with |g_a|^2 estimated by K_aa, but for terms of single numbers that are smaller than the noise.
Tensor block_squared(const Tensor& grams, const Tensor& collisions /* [components] */) {
  const auto n = static_cast<double>(grams.size(1));
  const Tensor off = off_diagonal(grams);
  Tensor u = off.mm(off.t()) / (n * (n - 1));
  const Tensor norms = grams.diagonal(0, 1, 2);  // [components, n]
  const Tensor pairs = (norms.sum(1).square() - norms.square().sum(1)) / (n * (n - 1));
  u.diagonal().sub_(collisions * pairs).div_(1 + collisions - 2 * collisions.square());
  return u;
}

/// U_ij / sqrt(U_ii U_jj) of [..., components, components]; NaN where that has no meaning.
Tensor normalised(const Tensor& squared, const Tensor& diagonals) {
  const Tensor scale = at::where(diagonals > 0, diagonals, unknown).sqrt();
  return squared / (scale.unsqueeze(-1) * scale.unsqueeze(-2));
}
Tensor normalised(const Tensor& squared) {
  return normalised(squared, squared.diagonal(0, -2, -1));
}

Tensor jackknife_error(const Tensor& blocks /* [blocks, components, components] */) {
  const auto count = static_cast<double>(blocks.size(0));
  if (blocks.size(0) < 2) return at::full_like(blocks.select(0, 0), unknown);
  const Tensor left_out = normalised((blocks.sum(0) - blocks) / (count - 1));
  return ((left_out - left_out.mean(0)).square().sum(0) * ((count - 1) / count)).sqrt();
}

/// [permutations, components, components]: U with the examples of the second component permuted.
Tensor null_squared(std::span<const Tensor> grams, const CouplingNull& null) {
  const int64_t components = grams[0].size(0), n = grams[0].size(1);
  Tensor sum = at::zeros({null.permutations, components, components}, at::kDouble);
  for (std::size_t block = 0; block < grams.size(); ++block) {
    const Tensor off = off_diagonal(grams[block]);
    for (int64_t draw = 0; draw < null.permutations; ++draw) {
      const uint64_t key = stream_key(null.key, fmt::format("coupling/null/{}/{}", block, draw));
      const Tensor order = at::tensor(shuffled(n, key), at::kLong);
      const Tensor permuted = off.view({components, n, n}).index_select(1, order).index_select(2, order);
      sum.select(0, draw).addmm_(off, permuted.reshape({components, n * n}).t());
    }
  }
  return sum / static_cast<double>(static_cast<int64_t>(grams.size()) * n * (n - 1));
}

void add_null(CouplingStatistic& result, std::span<const Tensor> grams, const CouplingNull& null) {
  const Tensor draws = normalised(null_squared(grams, null), result.squared.diagonal());
  const auto permutations = static_cast<double>(null.permutations);
  result.null_mean = draws.mean(0);
  const auto place = static_cast<int64_t>(std::ceil(0.95 * permutations)) - 1;
  result.null_high = std::get<0>(draws.sort(0)).select(0, std::max<int64_t>(0, place));
  const Tensor above = (draws >= result.value).sum(0).to(at::kDouble);
  result.p_value = at::where(result.value.isfinite(), (1 + above) / (1 + permutations), unknown);
}

/// The lower triangles of [components, n, n], as a cell keeps them, and back.
Json triangles_of(const Tensor& grams) {
  const Tensor places = at::tril_indices(grams.size(1), grams.size(1));
  const Tensor rows = grams.index({at::indexing::Slice(), places[0], places[1]}).contiguous();
  Json json = Json::array();
  for (const Tensor& row : rows.unbind())
    json.push_back(std::vector<double>(row.const_data_ptr<double>(), row.const_data_ptr<double>() + row.numel()));
  return json;
}

Tensor grams_from(const Json& triangles, int64_t n) {
  const Tensor places = at::tril_indices(n, n);
  std::vector<Tensor> grams;
  for (const Json& row : triangles) {
    const Tensor numbers = at::tensor(row.get<std::vector<double>>(), at::kDouble);
    Tensor gram = at::zeros({n, n}, at::kDouble);
    gram.index_put_({places[0], places[1]}, numbers);
    gram.index_put_({places[1], places[0]}, numbers);
    grams.push_back(gram);
  }
  return at::stack(grams);
}

/// One run's gradients, block by block, and the edges they make.
class Coupling {
 public:
  Coupling(Subject& subject, const CompensationSettings& settings, const MeasureContext& context)
      : subject_(subject),
        settings_(settings),
        groups_(part_groups(subject.components())),
        order_(shuffled_sequences(subject.held_out())),
        block_(std::min(block_examples, subject.held_out())),
        work_("coupling", subject, context) {
    require(block_ >= 2, "coupling compares sequences: this run has {} held out, and needs at least 2", block_);
    for (const Group& group : groups_) collisions_.push_back(sketch_collision(numbers_of(group), settings.sketch));
  }

  Measurement run() {
    const int64_t most = std::min(settings_.most_examples, subject_.held_out());
    const SampleSizes sizes{std::min(settings_.examples, most), most, settings_.precision, "examples"};
    const Sampled sampled = sample_until_precise(sizes, [&](int64_t examples) { return relative_errors(examples); });
    Measurement result;
    result.measure = "coupling";
    result.identity = measurement_identity("coupling", subject_,
                                           {{"examples", settings_.examples},
                                            {"most_examples", settings_.most_examples},
                                            {"sketch", settings_.sketch},
                                            {"permutations", settings_.permutations},
                                            {"precision", settings_.precision}});
    result.nodes = nodes_of(groups_);
    result.details = {{"sketch", settings_.sketch},
                      {"permutations", settings_.permutations},
                      {"examples", statistic_.examples},
                      {"examples_in_block", block_}};
    add_edges(result);
    if (!sampled.note.empty()) result.notes.push_back(sampled.note);
    result.seconds = work_.seconds();
    return result;
  }

 private:
  int64_t numbers_of(const Group& group) const {
    int64_t numbers = 0;
    for (const Component& component : group.components) numbers += subject_.numbers(component);
    return numbers;
  }

  std::vector<double> relative_errors(int64_t examples) {
    const auto blocks = static_cast<std::size_t>(std::max<int64_t>(1, examples / block_));
    work_.expect(static_cast<int64_t>(blocks - grams_.size()));
    while (grams_.size() < blocks) grams_.push_back(block(grams_.size()));
    statistic_ = coupling_of(grams_, {settings_.permutations, 0}, collisions_);
    std::vector<double> errors;
    for (std::size_t i = 0; i < groups_.size(); ++i)
      for (std::size_t j = i + 1; j < groups_.size(); ++j)
        if (entry(statistic_.value, i, j) > entry(statistic_.null_high, i, j))
          errors.push_back(entry(statistic_.standard_error, i, j) / entry(statistic_.value, i, j));
    return errors;
  }

  /// [components, n, n] of block number `index`.
  Tensor block(std::size_t index) {
    const auto begin = order_.begin() + static_cast<std::ptrdiff_t>(index) * block_;
    const std::vector<int64_t> examples(begin, begin + block_);
    const Json piece{{"examples", examples}, {"groups", names_of(groups_)}, {"sketch", settings_.sketch}};
    const auto first = static_cast<int64_t>(index) * block_ + 1;
    const std::string next = fmt::format("gradients of examples {} to {}", first, first + block_ - 1);
    return grams_from(work_.get(piece, next, [&] { return triangles_of(grams(examples)); }), block_);
  }

  Tensor grams(const std::vector<int64_t>& examples) {
    const std::vector<Tensor> gradients = subject_.example_gradients(groups_, examples, settings_.sketch);
    check(gradients.size() == groups_.size(), "[coupling] gradients of {} groups, asked for {}", gradients.size(),
          groups_.size());
    std::vector<Tensor> grams;
    for (std::size_t c = 0; c < groups_.size(); ++c) {
      grams.push_back(gram_of(gradients[c]));
      require(grams.back().isfinite().all().item<bool>(), "the gradients of {} are not finite: nothing can be coupled",
              groups_[c].name);
    }
    return at::stack(grams);
  }

  void add_edges(Measurement& result) const {
    Json& edges = result.details["edges"] = Json::array();
    Json& own = result.details["own"] = Json::array();
    std::vector<std::string> without;
    for (std::size_t i = 0; i < groups_.size(); ++i) {
      const double squared = entry(statistic_.squared, i, i);
      own.push_back(
          {{"node", result.nodes[i].name}, {"u", squared}, {"nats_squared", std::sqrt(std::max(0.0, squared))}});
      if (!(squared > 0)) without.push_back(result.nodes[i].name);
      for (std::size_t j = i + 1; j < groups_.size(); ++j)
        if (std::isfinite(entry(statistic_.value, i, j))) add_edge(result, edges, i, j);
    }
    if (!without.empty())
      result.notes.push_back(fmt::format(
          "The gradients of {} have no part in common between examples (U_ii is not above 0), so that their edges are "
          "left out.",
          join(without)));
  }

  void add_edge(Measurement& result, Json& details, std::size_t i, std::size_t j) const {
    GraphEdge edge;
    edge.from = result.nodes[i].name;
    edge.to = result.nodes[j].name;
    edge.value = entry(statistic_.value, i, j);
    edge.standard_error = entry(statistic_.standard_error, i, j);
    edge.samples = statistic_.examples;
    edge.measure = "coupling";
    const double squared = entry(statistic_.squared, i, j);
    details.push_back({{"from", edge.from},
                       {"to", edge.to},
                       {"u", squared},
                       {"nats_squared", std::sqrt(std::max(0.0, squared))},
                       {"p", entry(statistic_.p_value, i, j)},
                       {"null_mean", entry(statistic_.null_mean, i, j)},
                       {"null_95", entry(statistic_.null_high, i, j)}});
    result.edges.push_back(std::move(edge));
  }

  Subject& subject_;
  const CompensationSettings& settings_;
  std::vector<Group> groups_;
  std::vector<int64_t> order_;
  int64_t block_;
  Work work_;
  std::vector<double> collisions_;  // [components]
  std::vector<Tensor> grams_;       // [blocks] of [components, n, n]
  CouplingStatistic statistic_;
};

}  // namespace

Tensor gram_of(const Tensor& gradients) {
  const int64_t n = gradients.size(0), numbers = gradients.size(1);
  Tensor sum = at::zeros({n, n}, gradients.options().dtype(at::kDouble));
  for (int64_t begin = 0; begin < numbers; begin += columns_at_once) {
    const Tensor part = gradients.narrow(1, begin, std::min(columns_at_once, numbers - begin)).to(at::kDouble);
    sum.addmm_(part, part.t());
  }
  return sum.cpu();
}

double sketch_collision(int64_t numbers, int64_t dimension) {
  if (dimension <= 0 || dimension >= numbers) return 0;
  const int64_t smaller = numbers / dimension;  // numbers in a bucket; `larger` buckets have one more
  const int64_t larger = numbers % dimension;
  const auto pairs =
      static_cast<double>(larger * (smaller + 1) * smaller + (dimension - larger) * smaller * (smaller - 1));
  return pairs / (static_cast<double>(numbers) * static_cast<double>(numbers - 1));
}

CouplingStatistic coupling_of(std::span<const Tensor> grams, const CouplingNull& null,
                              std::span<const double> collisions) {
  check(!grams.empty() && grams[0].dim() == 3 && grams[0].size(1) >= 2, "[coupling_of] no block of two examples");
  const int64_t components = grams[0].size(0);
  const Tensor collision = collisions.empty()
                               ? at::zeros({components}, at::kDouble)
                               : at::tensor(std::vector(collisions.begin(), collisions.end()), at::kDouble);
  check(collision.size(0) == components, "[coupling_of] {} collisions of {} components", collision.size(0), components);
  std::vector<Tensor> blocks;
  for (const Tensor& gram : grams) {
    check(gram.sizes() == grams[0].sizes(), "[coupling_of] blocks of unequal size");
    blocks.push_back(block_squared(gram, collision));
  }
  const Tensor stacked = at::stack(blocks);
  CouplingStatistic result;
  result.examples = static_cast<int64_t>(grams.size()) * grams[0].size(1);
  result.squared = stacked.mean(0);
  result.value = normalised(result.squared);
  result.standard_error = jackknife_error(stacked);
  add_null(result, grams, null);
  return result;
}

Measurement measure_coupling(Subject& subject, const CompensationSettings& settings, const MeasureContext& context) {
  return Coupling(subject, settings, context).run();
}

void add_coupling(Measures& measures) {
  measures.add(
      {.edges = {{.name = "coupling",
                  .unit = "1",
                  .directed = false,
                  .role = MeasureRole::predicts,
                  .title = "Coupling",
                  .reading =
                      "A line says that two parts get their gradients together: sequences that move one also move the "
                      "other. It has no direction, and predicts compensation without any disturbance.",
                  .definition =
                      "||E[g_i g_j^T]||_F of per-sequence gradients as an off-diagonal U-statistic (a sequence is "
                      "never paired with itself), normalised by the components' own. Its null permutes the sequences "
                      "of one of the two."}},
       .make = measure_coupling,
       .order = 4});
}

}  // namespace absorb
