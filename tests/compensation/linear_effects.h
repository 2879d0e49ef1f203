// The writers of a linear subject and their direct effects, apart from its losses. In sequence e writer w writes
//   y[w][e] = own[w][e] + sum over earlier writers i of response[w][i] * y[i][e],
// which is its direct effect; an ablated writer writes its mean over the sequences asked for. A change of 1 in what
// writer i writes changes writer w by [(1 - response)^-1][w][i]. A negative response is repair. Where losses are asked
// for, what writer w writes moves output o by direction[w][o]; of several that are ablated each writes the mean of what
// it writes while none is. Two without a response between them then raise a squared loss by what either raises it by,
// and by the mean of (outputs moved by the one) . (outputs moved by the other).
#pragma once

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "compensation/subject/subject.h"
#include "core/random.h"

namespace absorb {

inline double half_square(const std::vector<double>& row) {
  double sum = 0;
  for (double number : row) sum += 0.5 * number * number;
  return sum;
}
inline double root_mean_square(const std::vector<double>& row) {
  return std::sqrt(2 * half_square(row) / static_cast<double>(row.size()));
}

class LinearEffects {
 public:
  LinearEffects() = default;
  /// own: standard normal + 1; response: 0; direction: standard normal.
  LinearEffects(std::span<const Component> components, std::size_t sequences, std::size_t outputs) {
    int64_t layers = 0;
    for (const Component& c : components) layers = std::max(layers, c.layer + 1);
    add("embedding", components, -1, Part::embedding);
    for (int64_t layer = 0; layer < layers; ++layer)
      for (Part part : {Part::o, Part::feed_forward, Part::expert})
        add(std::to_string(layer) + "." + std::string(to_string(part)), components, layer, part);
    const auto count = static_cast<int64_t>(writers_.size());
    response_ = at::zeros({count, count}, at::kDouble);
    own_ = at::empty({count, static_cast<int64_t>(sequences)}, at::kDouble);
    Random random(stream_key(1, "linear effects"));
    for (double& number : std::span(own_.mutable_data_ptr<double>(), static_cast<std::size_t>(own_.numel())))
      number = 1 + random.gauss();
    direction_ = at::empty({count, static_cast<int64_t>(outputs)}, at::kDouble);
    for (double& number : std::span(direction_.mutable_data_ptr<double>(), static_cast<std::size_t>(count) * outputs))
      number = random.gauss();
  }

  const std::vector<Group>& writers() const { return writers_; }
  /// [writers, sequences] double
  Tensor own() const { return own_; }
  /// [writers, outputs] double
  Tensor direction() const { return direction_; }
  void respond(std::size_t writer, std::size_t earlier, double by) {
    response_.select(0, static_cast<int64_t>(writer)).select(0, static_cast<int64_t>(earlier)).fill_(by);
  }
  /// Change of what `writer` writes for a change of 1 in what `ablated` writes: 1 for itself, 0 for an earlier writer.
  double reaction(std::size_t writer, std::size_t ablated) const {
    const Tensor all = at::inverse(at::eye(response_.size(0), at::kDouble) - response_);
    return all.select(0, static_cast<int64_t>(writer)).select(0, static_cast<int64_t>(ablated)).item<double>();
  }

  /// [writers, examples]
  Tensor effects(std::optional<std::size_t> ablated, Examples examples) const {
    return ablated ? written({&*ablated, 1}, examples) : written({}, examples);
  }

  /// [writers, examples] while all of `ablated` are.
  Tensor written(std::span<const std::size_t> ablated, Examples examples) const {
    const Tensor means = ablated.empty() ? Tensor() : written({}, examples).mean(1, /*keepdim=*/true);
    const Tensor chosen =
        own_.index_select(1, at::tensor(std::vector<int64_t>(examples.begin(), examples.end()), at::kLong));
    Tensor written = at::zeros_like(chosen);
    for (int64_t w = 0; w < chosen.size(0); ++w) {
      const bool out = std::ranges::find(ablated, static_cast<std::size_t>(w)) != ablated.end();
      const Tensor row =
          out ? means[w].expand({chosen.size(1)}) : chosen.select(0, w) + response_.select(0, w).matmul(written);
      written.select(0, w).copy_(row);
    }
    return written;
  }
  /// [examples, outputs]: what ablation moves the outputs by.
  Tensor moved(std::span<const std::size_t> ablated, Examples examples) const {
    return (written(ablated, examples) - written({}, examples)).t().mm(direction_);
  }

 private:
  void add(std::string name, std::span<const Component> components, int64_t layer, Part part) {
    Group group{std::move(name), {}};
    for (const Component& c : components)
      if (c.layer == layer && c.part == part) group.components.push_back(c);
    if (!group.components.empty()) writers_.push_back(std::move(group));
  }

  std::vector<Group> writers_;
  Tensor own_, response_, direction_;
};

/// What a linear subject answers besides its losses and their derivatives.
class WritingSubject : public Subject {
 public:
  LinearEffects& effects() { return effects_; }
  std::vector<Group> writers() const override { return effects_.writers(); }
  Tensor direct_effects(std::optional<std::size_t> ablated, Examples examples) override {
    return effects_.effects(ablated, examples);
  }
  /// What expert_layers() answers, of one token a sequence; empty at first.
  std::vector<ExpertLayer>& experts() { return experts_; }
  std::vector<ExpertLayer> expert_layers(Examples examples) override {
    const Tensor chosen = at::tensor(std::vector<int64_t>(examples.begin(), examples.end()), at::kLong);
    std::vector<ExpertLayer> layers = experts_;
    for (ExpertLayer& layer : layers)
      for (Tensor* rows : {&layer.scores, &layer.responses}) *rows = rows->index_select(1, chosen);
    return layers;
  }

 protected:
  LinearEffects effects_;
  std::vector<ExpertLayer> experts_;
};

}  // namespace absorb
