#include "compensation/measures/co_ablation.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "compensation/graph/nodes.h"
#include "compensation/measures/adaptations.h"
#include "compensation/measures/work.h"
#include "compensation/recovery/recovery.h"
#include "core/error.h"

namespace absorb {
namespace {

using Places = std::vector<std::size_t>;  // in writers(), rising

class CoAblation {
 public:
  CoAblation(Subject& subject, const CompensationSettings& settings, const MeasureContext& context)
      : subject_(subject),
        settings_(settings),
        layers_(context.layers),
        writers_(subject.writers()),
        order_(shuffled_sequences(subject.held_out())),
        chunk_(std::min(settings.sequences, subject.held_out())),
        work_("co_ablation", subject, context) {
    require_layers(subject, layers_);
    alone_.resize(writers_.size());
    for (std::size_t i = 0; i < writers_.size(); ++i)
      for (std::size_t j = i + 1; j < writers_.size(); ++j)
        if (asked(i) || asked(j)) pairs_.push_back({i, j, {}});
  }

  Measurement run() {
    Measurement result;
    result.measure = "co_ablation";
    result.identity = measurement_identity("co_ablation", subject_,
                                           {{"sequences", settings_.sequences},
                                            {"most_sequences", settings_.most_sequences},
                                            {"precision", settings_.precision},
                                            {"layers", layers_}});
    result.nodes = nodes_of(writers_);
    const int64_t most = std::max(chunk_, std::min(settings_.most_sequences, subject_.held_out()));
    const SampleSizes sizes{chunk_, most, settings_.precision, "sequences"};
    const Sampled sampled = sample_until_precise(sizes, [&](int64_t sequences) {
      read(sequences);
      return relative_errors();
    });
    for (const Pair& pair : pairs_) {
      const Measured measured = mean_of({pair.more});
      result.edges.push_back({result.nodes[pair.i].name,
                              result.nodes[pair.j].name,
                              measured.value,
                              measured.standard_error,
                              measured.samples,
                              "co_ablation",
                              {},
                              {},
                              0});
    }
    result.details = details(result.nodes);
    if (!sampled.note.empty()) result.notes.push_back(sampled.note);
    result.seconds = work_.seconds();
    return result;
  }

 private:
  struct Pair {
    std::size_t i = 0, j = 0;
    std::vector<double> more;  // [sequences] what both cost beyond the sum of what each costs
  };

  bool asked(std::size_t writer) const {
    const int64_t layer = writers_[writer].components.front().layer;
    return layers_.empty() || std::find(layers_.begin(), layers_.end(), layer) != layers_.end();
  }

  /// Whole chunks alone, so that every mean that stands for an ablated writer is one over as many tokens.
  void read(int64_t sequences) {
    const int64_t chunks = (sequences - static_cast<int64_t>(whole_.size())) / chunk_;
    work_.expect(chunks * static_cast<int64_t>(1 + writers_.size() + pairs_.size()));
    for (int64_t chunk = 0; chunk < chunks; ++chunk) {
      const auto begin = order_.begin() + static_cast<std::ptrdiff_t>(whole_.size());
      read_chunk({begin, begin + chunk_});
    }
  }

  void read_chunk(const std::vector<int64_t>& examples) {
    const std::vector<double> whole = losses({}, examples);
    std::vector<std::vector<double>> alone;  // [writers][examples], what the loss rises by
    for (std::size_t i = 0; i < writers_.size(); ++i) {
      alone.push_back(losses({i}, examples));
      for (std::size_t e = 0; e < whole.size(); ++e) alone[i][e] -= whole[e];
      alone_[i].insert(alone_[i].end(), alone[i].begin(), alone[i].end());
    }
    for (Pair& pair : pairs_) {
      const std::vector<double> both = losses({pair.i, pair.j}, examples);
      for (std::size_t e = 0; e < whole.size(); ++e)
        pair.more.push_back(both[e] - whole[e] - alone[pair.i][e] - alone[pair.j][e]);
    }
    whole_.insert(whole_.end(), whole.begin(), whole.end());
  }

  std::vector<double> losses(const Places& ablated, const std::vector<int64_t>& examples) {
    std::vector<std::string> names;
    for (const std::size_t place : ablated) names.push_back(writers_[place].name);
    const std::string next = names.empty() ? "nothing ablated" : join(names, " and ") + " ablated";
    const Json& cell = work_.get({{"examples", examples}, {"ablated", names}}, next, [&]() -> Json {
      const std::vector<double> losses = subject_.ablated_losses(ablated, examples);
      check(losses.size() == examples.size(), "[co_ablation] {} losses for {} sequences", losses.size(),
            examples.size());
      require(std::ranges::all_of(losses, [](double loss) { return std::isfinite(loss); }),
              "the loss with {} is not finite", next);
      return losses;
    });
    return cell.get<std::vector<double>>();
  }

  std::vector<double> relative_errors() const {
    std::vector<double> errors;
    for (const Pair& pair : pairs_) {
      const Measured measured = mean_of({pair.more});
      // Where one sequence leaves the error unknown, more are read.
      if (beyond_noise(measured) || std::isnan(measured.standard_error))
        errors.push_back(measured.standard_error / std::abs(measured.value));
    }
    return errors;
  }

  Json details(const std::vector<GraphNode>& nodes) const {
    const Measured whole = mean_of({whole_});
    Json list = Json::array();
    for (std::size_t i = 0; i < writers_.size(); ++i) {
      const Measured alone = mean_of({alone_[i]});
      list.push_back({{"node", nodes[i].name}, {"alone", alone.value}, {"alone_error", alone.standard_error}});
    }
    return {{"sequences", whole_.size()},
            {"sequences_in_chunk", chunk_},
            {"loss", whole.value},
            {"evaluations", 1 + writers_.size() + pairs_.size()},
            {"writers", list}};
  }

  Subject& subject_;
  const CompensationSettings& settings_;
  std::vector<int64_t> layers_;
  std::vector<Group> writers_;
  std::vector<int64_t> order_;
  int64_t chunk_;
  Work work_;
  std::vector<double> whole_;               // [sequences] loss of the whole model
  std::vector<std::vector<double>> alone_;  // [writers][sequences]
  std::vector<Pair> pairs_;
};

}  // namespace

Measurement measure_co_ablation(Subject& subject, const CompensationSettings& settings, const MeasureContext& context) {
  return CoAblation(subject, settings, context).run();
}

void add_co_ablation(Measures& measures) {
  measures.add(
      {.edges = {{.name = "co_ablation",
                  .unit = "nats per token",
                  .directed = false,
                  .title = "Co-ablation",
                  .reading =
                      "A line says how much more either part matters once the other is gone: above 0 they back each "
                      "other up, below 0 each needs the other. It has no direction.",
                  .definition =
                      "[L(i and j ablated) - L(i ablated)] - [L(j ablated) - L()] for every two of the n parts that "
                      "write to the residual stream, an ablated one replaced by its mean: n + n (n - 1) / 2 "
                      "evaluations and one of the whole model."}},
       .make = measure_co_ablation,
       .order = 2});
}

}  // namespace absorb
