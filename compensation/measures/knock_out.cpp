#include "compensation/measures/knock_out.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "compensation/graph/nodes.h"
#include "compensation/measures/work.h"
#include "compensation/recovery/recovery.h"
#include "core/error.h"

namespace absorb {
namespace {

class KnockOut {
 public:
  KnockOut(Subject& subject, const CompensationSettings& settings, const MeasureContext& context)
      : subject_(subject),
        settings_(settings),
        writers_(subject.writers()),
        order_(shuffled_sequences(subject.held_out())),
        chunk_(std::min(settings.sequences, subject.held_out())),
        work_("knock_out", subject, context) {
    const auto count = static_cast<int64_t>(writers_.size());
    clean_ = at::empty({count, 0}, at::kDouble);
    ablated_.assign(writers_.size(), clean_);
  }

  Measurement run() {
    Measurement result;
    result.measure = "knock_out";
    result.identity = measurement_identity("knock_out", subject_,
                                           {{"sequences", settings_.sequences},
                                            {"most_sequences", settings_.most_sequences},
                                            {"precision", settings_.precision}});
    result.nodes = nodes_of(writers_);
    const int64_t most = std::max(chunk_, std::min(settings_.most_sequences, subject_.held_out()));
    const SampleSizes sizes{chunk_, most, settings_.precision, "sequences"};
    const Sampled sampled = sample_until_precise(sizes, [&](int64_t sequences) {
      read(sequences);
      return relative_errors();
    });
    for (std::size_t i = 0; i < writers_.size(); ++i) add_edges(result, i);
    result.details = {{"sequences", clean_.size(1)}, {"sequences_in_chunk", chunk_}, {"writers", details()}};
    if (!sampled.note.empty()) result.notes.push_back(sampled.note);
    result.seconds = work_.seconds();
    return result;
  }

 private:
  /// Whole chunks alone, so that every mean that stands for an ablated writer is one over as many tokens.
  void read(int64_t sequences) {
    const int64_t chunks = sequences / chunk_ - clean_.size(1) / chunk_;
    work_.expect(chunks * static_cast<int64_t>(writers_.size() + 1));
    for (int64_t chunk = 0; chunk < chunks; ++chunk) {
      const auto begin = order_.begin() + clean_.size(1);
      const std::vector<int64_t> examples(begin, begin + chunk_);
      clean_ = at::cat({clean_, effects(std::nullopt, examples)}, 1);
      for (std::size_t i = 0; i < writers_.size(); ++i) ablated_[i] = at::cat({ablated_[i], effects(i, examples)}, 1);
    }
  }

  /// [writers, examples]
  Tensor effects(std::optional<std::size_t> ablated, const std::vector<int64_t>& examples) {
    const std::string name = ablated ? writers_[*ablated].name : std::string();
    const Json piece{{"examples", examples}, {"writers", names_of(writers_)}, {"ablated", name}};
    const std::string next = ablated ? name + " ablated" : "nothing ablated";
    const Json& cell = work_.get(piece, next, [&] { return measured(ablated, examples); });
    return at::tensor(cell.get<std::vector<double>>(), at::kDouble)
        .view({static_cast<int64_t>(writers_.size()), static_cast<int64_t>(examples.size())});
  }

  Json measured(std::optional<std::size_t> ablated, const std::vector<int64_t>& examples) {
    const Tensor effects = subject_.direct_effects(ablated, examples).to(at::kDouble).cpu().contiguous();
    check(effects.numel() == static_cast<int64_t>(writers_.size() * examples.size()),
          "[knock_out] {} direct effects of {} writers in {} sequences", effects.numel(), writers_.size(),
          examples.size());
    require(effects.isfinite().all().item<bool>(), "the direct effects with {} ablated are not finite",
            ablated ? writers_[*ablated].name : "nothing");
    return std::vector<double>(effects.const_data_ptr<double>(), effects.const_data_ptr<double>() + effects.numel());
  }

  static Measured mean(const Tensor& row /* [examples] */) {
    const Tensor whole = row.contiguous();
    const double* begin = whole.const_data_ptr<double>();
    return mean_of({std::vector<double>(begin, begin + whole.numel())});
  }

  /// Of writer j's direct effect when i is ablated.
  Measured change(std::size_t i, std::size_t j) const {
    const auto row = static_cast<int64_t>(j);
    return mean(ablated_[i].select(0, row) - clean_.select(0, row));
  }

  std::vector<double> relative_errors() const {
    std::vector<double> errors;
    for (std::size_t i = 0; i < writers_.size(); ++i)
      for (std::size_t j = i + 1; j < writers_.size(); ++j) {
        const Measured measured = change(i, j);
        // Where one sequence leaves the error unknown, more are read.
        if (beyond_noise(measured) || std::isnan(measured.standard_error))
          errors.push_back(measured.standard_error / std::abs(measured.value));
      }
    return errors;
  }

  void add_edges(Measurement& result, std::size_t i) const {
    for (std::size_t j = i + 1; j < writers_.size(); ++j) {
      const Measured measured = change(i, j);
      result.edges.push_back({result.nodes[i].name,
                              result.nodes[j].name,
                              measured.value,
                              measured.standard_error,
                              measured.samples,
                              "knock_out",
                              {},
                              {},
                              0});
    }
  }

  Json details() const {
    Json list = Json::array();
    for (std::size_t i = 0; i < writers_.size(); ++i) {
      const auto row = static_cast<int64_t>(i);
      const Measured clean = mean(clean_.select(0, row)),
                     removed = mean(clean_.select(0, row) - ablated_[i].select(0, row));
      double repaired = 0;
      for (std::size_t j = i + 1; j < writers_.size(); ++j) repaired += change(i, j).value;
      list.push_back({{"node", node_of(writers_[i]).name},
                      {"own_effect", clean.value},
                      {"own_effect_error", clean.standard_error},
                      {"removed", removed.value},
                      {"removed_error", removed.standard_error},
                      {"repaired", repaired},
                      {"repaired_share", beyond_noise(removed) ? Json(repaired / removed.value) : Json()}});
    }
    return list;
  }

  Subject& subject_;
  const CompensationSettings& settings_;
  std::vector<Group> writers_;
  std::vector<int64_t> order_;
  int64_t chunk_;
  Work work_;
  Tensor clean_;                 // [writers, examples] double
  std::vector<Tensor> ablated_;  // [writers] of the same
};

}  // namespace

Measurement measure_knock_out(Subject& subject, const CompensationSettings& settings, const MeasureContext& context) {
  return KnockOut(subject, settings, context).run();
}

void add_knock_out(Measures& measures) {
  measures.add(
      {.edges = {{.name = "knock_out",
                  .unit = "logits",
                  .title = "Knock-out",
                  .reading =
                      "Each arrow begins at a part whose output was replaced by its mean and ends at a part whose "
                      "direct effect on the correct token's logit changed in answer.",
                  .definition =
                      "Change of every writer's direct effect on the target's logit when one writer is replaced by its "
                      "mean, the final norm's scale frozen at that of the whole model, since norm rescaling alone "
                      "would look like repair."}},
       .make = measure_knock_out,
       .order = 2});
}

}  // namespace absorb
