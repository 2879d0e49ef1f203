// A subject whose recovery is known in closed form. Every component c adds gain[c][o] * value[c][o] to output o;
// sequence i is lost by half the squared distance of the outputs from goal + noise[i]. Outputs don't mix, so that n
// steps of gradient descent on the mean of all sequences with the components S shrink the residual of output o by (1 -
// rate * sum over S of gain^2)^n. A swap replaces a router's values.
#pragma once

#include <cmath>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "compensation/subject.h"
#include "core/random.h"

namespace absorb {

class LinearSubject : public Subject {
 public:
  using Row = std::vector<double>;  // [outputs]

  struct Size {
    int64_t layers = 4;
    std::size_t outputs = 4;
    std::size_t sequences = 8;  // even: the noise comes in pairs of opposite sign, and is 0 on average
    double noise = 0.3;
    Part router = Part::attention_router;
  };

  explicit LinearSubject(const Size& size, double rate = 0.02) : size_(size), rate_(rate), goal_(size.outputs, 0.0) {
    Random random(stream_key(1, "linear subject"));
    for (std::size_t i = 0; i < size.sequences; ++i) {
      noise_.emplace_back(size.outputs);
      for (std::size_t o = 0; o < size.outputs; ++o)
        noise_[i][o] = i % 2 == 1 ? -noise_[i - 1][o] : size.noise * random.gauss();
    }
    for (int64_t layer = 0; layer < size.layers; ++layer) {
      for (Part part : {size.router, Part::q, Part::k, Part::v, Part::o, Part::norm}) add({layer, part, 0}, random);
      if (size.router == Part::expert_router)
        for (int64_t expert = 0; expert < 3; ++expert) add({layer, Part::expert, expert}, random);
      else
        add({layer, Part::feed_forward, 0}, random);
    }
    for (const Component& outside :
         {Component{-1, Part::embedding, 0}, Component{-1, Part::embedding, 1}, Component{-1, Part::norm, 0}})
      add(outside, random);
  }

  Component router(int64_t layer) const { return {layer, size_.router, 0}; }
  std::map<Component, Row>& gain() { return gain_; }
  /// Moves the goal to the outputs plus `distance`: 0 makes the run a minimum.
  void goal_at_distance(double distance) {
    goal_ = outputs(value_);
    for (double& goal : goal_) goal += distance;
  }
  /// adapt() throws after this many calls, as if the process were killed.
  void stop_after(int64_t adaptations) { stop_after_ = adaptations; }
  /// The examples of the last losses().
  const std::vector<int64_t>& asked() const { return asked_; }
  int64_t adaptations() const { return adaptations_; }
  void rename(std::string identity) { identity_ = std::move(identity); }

  std::string identity() const override { return identity_; }
  std::span<const Component> components() const override { return components_; }
  int64_t layers() const override { return size_.layers; }
  int64_t held_out() const override { return static_cast<int64_t>(size_.sequences); }
  int64_t tokens_per_sequence() const override { return 16; }

  std::vector<double> losses(Examples examples, const Swap& swap) override {
    asked_.assign(examples.begin(), examples.end());
    return losses_at(residual(swapped(swap)), examples);
  }

  Adapted adapt(const Swap& swap, const Adaptation& adaptation, Examples examples) override {
    if (adaptations_ == stop_after_) throw std::runtime_error("killed");
    ++adaptations_;
    auto value = swapped(swap);
    for (int64_t step = 0; step < adaptation.steps; ++step) {
      const Row gradient = residual(value);
      for (const Component& component : adaptation.trained)
        for (std::size_t o = 0; o < size_.outputs; ++o)
          value[component][o] -= rate_ * gain_[component][o] * gradient[o];
    }
    Adapted result{losses_at(residual(value), examples), false};
    for (double loss : result.losses) result.diverged = result.diverged || !(loss < 1e6);
    return result;
  }

  /// v(S) of a swap of `router`, averaged over `draws`, by the formula above.
  double recovery(const Component& router, int64_t draws, const std::set<Component>& trained, int64_t steps) {
    double sum = 0;
    const Row base = residual(value_);
    for (int64_t draw = 0; draw < draws; ++draw) {
      const Row swap = residual(swapped({{router}, static_cast<uint64_t>(draw)}));
      for (std::size_t o = 0; o < size_.outputs; ++o) {
        double gains = 0;
        for (const Component& component : trained) gains += gain_[component][o] * gain_[component][o];
        const double left = std::pow(1 - rate_ * gains, static_cast<double>(2 * steps));
        sum += 0.5 * (swap[o] * swap[o] - base[o] * base[o]) * (1 - left);
      }
    }
    return sum / static_cast<double>(draws);
  }

 private:
  void add(const Component& component, Random& random) {
    components_.push_back(component);
    for (std::size_t o = 0; o < size_.outputs; ++o) {
      gain_[component].push_back(random.gauss());
      value_[component].push_back(random.gauss());
    }
  }

  std::map<Component, Row> swapped(const Swap& swap) const {
    auto value = value_;
    for (const Component& router : swap.routers)
      for (double& number : value.at(router)) number += 3 + 0.25 * static_cast<double>(swap.draw);
    return value;
  }

  Row outputs(const std::map<Component, Row>& value) const {
    Row result(size_.outputs, 0.0);
    for (const auto& [component, numbers] : value)
      for (std::size_t o = 0; o < size_.outputs; ++o) result[o] += gain_.at(component)[o] * numbers[o];
    return result;
  }

  Row residual(const std::map<Component, Row>& value) const {
    Row result = outputs(value);
    for (std::size_t o = 0; o < size_.outputs; ++o) result[o] -= goal_[o];
    return result;
  }

  std::vector<double> losses_at(const Row& residual, Examples examples) const {
    std::vector<double> result;
    for (int64_t example : examples) {
      double loss = 0;
      for (std::size_t o = 0; o < size_.outputs; ++o) {
        const double distance = residual[o] - noise_[static_cast<std::size_t>(example)][o];
        loss += 0.5 * distance * distance;
      }
      result.push_back(loss);
    }
    return result;
  }

  Size size_;
  double rate_;
  Row goal_;
  std::vector<Row> noise_;  // [sequences]
  std::vector<Component> components_;
  std::map<Component, Row> gain_, value_;
  std::vector<int64_t> asked_;
  std::string identity_ = "linear";
  int64_t adaptations_ = 0, stop_after_ = -1;
};

/// Makes the outputs of a subject with one output per layer those of its layers: layer l moves output l alone, and
/// nothing outside the blocks moves any.
inline void make_block_diagonal(LinearSubject& subject) {
  for (auto& [component, gain] : subject.gain())
    for (std::size_t o = 0; o < gain.size(); ++o)
      if (component.layer != static_cast<int64_t>(o)) gain[o] = 0;
}

}  // namespace absorb
