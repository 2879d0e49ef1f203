#include "compensation/measures/alignment.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "compensation/graph/nodes.h"
#include "compensation/measures/adaptations.h"
#include "compensation/measures/work.h"
#include "compensation/recovery/recovery.h"
#include "core/error.h"

namespace absorb {
namespace {

std::vector<double> numbers_of(const Tensor& row /* [E] */) {
  const Tensor whole = row.contiguous();
  return {whole.const_data_ptr<double>(), whole.const_data_ptr<double>() + whole.numel()};
}

Json json_of(const std::vector<double>& numbers) {
  Json list = Json::array();
  for (const double number : numbers) list.push_back(std::isfinite(number) ? Json(number) : Json());
  return list;
}

GraphNode node_of_part(const Subject& subject, Part part, int64_t layer) {
  Group group;
  for (const Component& component : subject.components())
    if (component.part == part && component.layer == layer) group.components.push_back(component);
  return node_of(group);
}

class Alignment {
 public:
  explicit Alignment(Subject& subject) : subject_(subject) {}

  void add(const ExpertLayer& layer) {
    const GraphNode router = node_of_part(subject_, Part::expert_router, layer.router.layer),
                    experts = node_of_part(subject_, Part::expert, layer.router.layer);
    for (const Tensor& numbers : {layer.directions, layer.inputs, layer.scores, layer.responses})
      require(numbers.isfinite().all().item<bool>(), "what {} and its experts make of held-out text is not finite",
              router.name);
    result_.nodes.push_back(router);
    result_.nodes.push_back(experts);
    const int64_t width = layer.inputs.size(2), rank = subspace_rank(layer.inputs.size(1), width);
    const Chance chance = chance_of(rank, width);
    const std::vector<double> shares = numbers_of(subspace_shares(layer.directions, layer.inputs, rank)),
                              responses = numbers_of(row_correlations(layer.scores, layer.responses));
    std::vector<double> above = shares;
    for (double& share : above) share -= chance.mean;
    add_edge(router, experts, above, "alignment");
    add_edge(router, experts, responses, "response");
    result_.details["layers"].push_back({{"node", experts.name},
                                         {"width", width},
                                         {"rank", rank},
                                         {"chance", chance.mean},
                                         {"chance_sd", chance.sd},
                                         {"tokens", layer.scores.size(1)},
                                         {"share", json_of(shares)},
                                         {"response", json_of(responses)}});
  }

  Measurement result() {
    if (!blind_.empty())
      result_.notes.push_back(
          fmt::format("The scores of {} don't change with what is read: no alignment.", join(blind_)));
    return std::move(result_);
  }

 private:
  void add_edge(const GraphNode& router, const GraphNode& experts, std::vector<double> numbers, const char* measure) {
    std::erase_if(numbers, [](double number) { return !std::isfinite(number); });
    if (numbers.empty()) {
      if (std::string_view(measure) == "alignment") blind_.push_back(router.name);
      return;
    }
    const Measured mean = mean_of({numbers});
    result_.edges.push_back(
        {router.name, experts.name, mean.value, mean.standard_error, mean.samples, measure, {}, {}, 0});
  }

  Subject& subject_;
  Measurement result_;
  std::vector<std::string> blind_;  // routers without a direction
};

}  // namespace

int64_t subspace_rank(int64_t hidden, int64_t width) {
  return std::min(hidden, std::max<int64_t>(1, width / 8));
}

Chance chance_of(int64_t rank, int64_t width) {
  const auto r = static_cast<double>(rank), d = static_cast<double>(width);
  return {r / d, std::sqrt(2 * r * (d - r) / (d * d * (d + 2)))};
}

Tensor subspace_shares(const Tensor& directions, const Tensor& inputs, int64_t rank) {
  check(directions.size(0) == inputs.size(0) && directions.size(1) == inputs.size(2) && rank <= inputs.size(2),
        "[subspace_shares] directions and inputs don't belong together");
  std::vector<Tensor> shares;  // expert by expert: a layer's matrices of all experts at once are large
  for (int64_t e = 0; e < directions.size(0); ++e) {
    const auto [values, vectors] = at::linalg_eigh(inputs[e].t().mm(inputs[e]));  // rising: the last are the largest
    const Tensor first = vectors.narrow(1, vectors.size(1) - rank, rank);         // [D,rank]
    const Tensor direction = directions[e];
    shares.push_back(first.t().mv(direction).square().sum() / direction.square().sum());
  }
  return at::stack(shares);
}

Tensor row_correlations(const Tensor& a, const Tensor& b) {
  const Tensor x = a - a.mean(1, true), y = b - b.mean(1, true);
  return (x * y).sum(1) / (x.square().sum(1) * y.square().sum(1)).sqrt();
}

Measurement measure_alignment(Subject& subject, const CompensationSettings& settings, const MeasureContext& context) {
  require_layers(subject, context.layers);
  const auto start = std::chrono::steady_clock::now();
  if (context.progress) context.progress("alignment", 0, 1);
  std::vector<int64_t> sequences = shuffled_sequences(subject.held_out());
  sequences.resize(static_cast<std::size_t>(std::min(settings.sequences, subject.held_out())));
  Alignment alignment(subject);
  int64_t routed = 0;
  for (const ExpertLayer& layer : subject.expert_layers(sequences)) {
    ++routed;
    if (context.layers.empty() || std::ranges::find(context.layers, layer.router.layer) != context.layers.end())
      alignment.add(layer);
  }
  Measurement result = alignment.result();
  result.measure = "alignment";
  result.identity =
      measurement_identity("alignment", subject, {{"sequences", settings.sequences}, {"layers", context.layers}});
  if (routed == 0) result.notes.emplace_back("No experts are routed in this run: no alignment.");
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return result;
}

void add_alignment(Measures& measures) {
  measures.add(
      {.edges = {{.name = "alignment",
                  .unit = "ratio",
                  .title = "Alignment",
                  .reading =
                      "An arrow from a router to its experts says how much more of its directions lies where they "
                      "listen than of random ones, for which it is 0.",
                  .definition =
                      "Share of the squared norm of an expert's direction in its router (the mean slope of its score "
                      "in x) within the first D / 8 right singular vectors of the expert's first weights, less the "
                      "share of a random direction; mean over experts. To be held against the arm with a frozen "
                      "random router."},
                 {.name = "response",
                  .unit = "correlation",
                  .title = "Response",
                  .definition =
                      "Correlation over held-out tokens of an expert's score with the norm of its activations; mean "
                      "over experts."}},
       .make = measure_alignment,
       .order = 1});
}

}  // namespace absorb
