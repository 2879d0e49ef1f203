// A subject whose answers are known in closed form. Component c has a vector of numbers; number k moves output k modulo
// `outputs` by gain[c][k] * value[c][k]. Sequence i is lost by half the squared distance of the outputs from goal +
// noise[i]. With J [outputs, numbers] the matrix of the gains:
//   gradient of sequence i      J^T (residual - noise[i]), residual = outputs - goal
//   second derivatives          J^T J, between components j and b J_j^T J_b
//   n steps of adaptation       residual -> (1 - rate * J_S E E^T J_S^T)^n residual, E expanding the subspace of S
//   a disturbed router          every value + dose * (3 + draw / 4)
//   any other component         every value + dose * rms of its values * normal number of the draw
// Adaptation reads no noise: its batches are not the held-out sequences. Writers and what depends on
// them are in linear_effects.h; subjects with planted structure in linear_plants.h.
#pragma once

#include <ATen/ATen.h>

#include <cmath>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "compensation/subject/subject.h"
#include "compensation/subject/subspace.h"
#include "core/random.h"
#include "tests/compensation/linear_effects.h"

namespace absorb {

class LinearSubject : public WritingSubject {
 public:
  using Row = std::vector<double>;

  struct Size {
    int64_t layers = 4;
    std::size_t outputs = 4;
    std::size_t sequences = 8;
    double noise = 0.3;
    Part router = Part::attention_router;
    bool paired = true;  // noise in pairs of opposite sign, 0 on average over an even number; else independent
  };

  explicit LinearSubject(const Size& size, double rate = 0.02) : size_(size), rate_(rate), goal_(size.outputs, 0.0) {
    Random random(stream_key(1, "linear subject"));
    for (std::size_t i = 0; i < size.sequences; ++i) {
      noise_.emplace_back(size.outputs);
      for (std::size_t o = 0; o < size.outputs; ++o)
        noise_[i][o] = size.paired && i % 2 == 1 ? -noise_[i - 1][o] : size.noise * random.gauss();
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
    effects_ = LinearEffects(components_, size.sequences, size.outputs);
  }

  Component router(int64_t layer) const { return {layer, size_.router, 0}; }
  std::size_t outputs() const { return size_.outputs; }
  /// By component: [numbers]; number k moves output k modulo outputs(). Don't change their lengths.
  std::map<Component, Row>& gain() { return gain_; }
  std::map<Component, Row>& value() { return value_; }
  void set_gain(const Component& component, double gain) { gain_.at(component).assign(gain_[component].size(), gain); }
  /// Adds `numbers` that do nothing; the component's root mean square stays.
  void pad(const Component& component, std::size_t numbers) {
    const double rms = root_mean_square(value_.at(component));
    gain_.at(component).insert(gain_[component].end(), numbers, 0.0);
    for (std::size_t k = 0; k < numbers; ++k) value_[component].push_back(k % 2 == 0 ? rms : -rms);
  }
  /// Moves the goal to the outputs plus `distance`: 0 makes the run a minimum.
  void goal_at_distance(double distance) {
    goal_ = outputs_of(value_);
    for (double& goal : goal_) goal += distance;
  }
  /// [sequences][outputs]
  std::vector<Row>& noise() { return noise_; }
  /// The call after this many of losses() and adapt() throws, as if the process were killed; -1: never.
  void stop_after(int64_t calls) { stop_after_ = calls < 0 ? -1 : calls_ + calls; }
  int64_t calls() const { return calls_; }
  int64_t adaptations() const { return adaptations_; }
  /// The examples of the last losses().
  const std::vector<int64_t>& asked() const { return asked_; }
  void rename(std::string identity) { identity_ = std::move(identity); }

  std::string identity() const override { return identity_; }
  std::span<const Component> components() const override { return components_; }
  int64_t numbers(const Component& component) const override {
    return static_cast<int64_t>(value_.at(component).size());
  }
  int64_t layers() const override { return size_.layers; }
  int64_t held_out() const override { return static_cast<int64_t>(size_.sequences); }
  int64_t tokens_per_sequence() const override { return 16; }
  double rate() const override { return rate_; }

  std::vector<double> losses(Examples examples, const Disturbance& disturbance) override {
    count_call();
    asked_.assign(examples.begin(), examples.end());
    return losses_at(residual(disturbed(disturbance)), examples);
  }

  Adapted adapt(const Disturbance& disturbance, const Adaptation& adaptation, Examples examples) override {
    count_call();
    ++adaptations_;
    auto value = disturbed(disturbance);
    const std::vector<Component> moved = trained(adaptation);
    const Tensor start = joined(value, moved);
    const Subspace space = subspace(adaptation);
    Tensor z = at::zeros({space.dimension()}, at::kDouble);
    Adapted result;
    int64_t done = 0;
    for (int64_t until : adaptation.steps) {
      for (; done < until; ++done) {
        z = z - rate_ * space.compress(joined(gradient_at(residual(value)), moved));
        scatter(start + space.expand(z), moved, value);
      }
      result.losses.push_back(losses_at(residual(value), examples));
      for (double loss : result.losses.back()) result.diverged = result.diverged || !(loss < 1e6);
    }
    return result;
  }

  Tensor values(const Group& group) override { return joined(value_, group.components); }

  std::vector<Tensor> example_gradients(std::span<const Group> groups, Examples examples, int64_t dimension) override {
    std::vector<Tensor> result;
    for (const Group& group : groups) {
      std::vector<Tensor> rows;
      for (int64_t example : examples)
        rows.push_back(joined(gradient_at(distances(residual(value_), example)), group.components));
      const Tensor all = at::stack(rows);
      result.push_back(CountSketch(stream_key(0, group.name), all.size(1), dimension, at::kCPU).compress(all));
    }
    return result;
  }

  std::vector<Tensor> gradients(std::span<const Group> groups, const Disturbance& disturbance,
                                Examples examples) override {
    const Row at = residual(disturbed(disturbance));
    Row mean(size_.outputs, 0.0);
    for (int64_t example : examples) {
      const Row distance = distances(at, example);
      for (std::size_t o = 0; o < size_.outputs; ++o) mean[o] += distance[o] / static_cast<double>(examples.size());
    }
    std::vector<Tensor> result;
    for (const Group& group : groups) result.push_back(joined(gradient_at(mean), group.components));
    return result;
  }

  std::vector<Tensor> hessian_products(std::span<const Group> groups, std::size_t block, const Tensor& v,
                                       Examples) override {
    const Tensor moved = jacobian(groups[block].components).mv(v.to(at::kDouble).cpu());
    std::vector<Tensor> result;
    for (const Group& group : groups) result.push_back(jacobian(group.components).t().mv(moved));
    return result;
  }

  std::vector<double> ablated_losses(std::span<const std::size_t> ablated, Examples examples) override {
    const Tensor moved = effects_.moved(ablated, examples);
    std::vector<double> result;
    for (std::size_t e = 0; e < examples.size(); ++e) {
      Row at = residual(value_);
      for (std::size_t o = 0; o < at.size(); ++o)
        at[o] += moved[static_cast<int64_t>(e)][static_cast<int64_t>(o)].item<double>();
      result.push_back(losses_at(at, examples.subspan(e, 1))[0]);
    }
    return result;
  }

  /// [outputs, numbers] double: J of these components, joined in this order.
  Tensor jacobian(const std::vector<Component>& components) const {
    std::vector<Row> rows(size_.outputs);
    for (const Component& component : components) {
      const Row& gain = gain_.at(component);
      for (std::size_t k = 0; k < gain.size(); ++k)
        for (std::size_t o = 0; o < size_.outputs; ++o) rows[o].push_back(k % size_.outputs == o ? gain[k] : 0.0);
    }
    std::vector<Tensor> tensors;
    for (const Row& row : rows) tensors.push_back(at::tensor(row, at::kDouble));
    return at::stack(tensors);
  }

  Subspace subspace(const Adaptation& adaptation) const {
    std::vector<int64_t> sizes;
    for (const auto& part : adaptation.parts) {
      sizes.push_back(0);
      for (const Component& component : part) sizes.back() += numbers(component);
    }
    return {adaptation, sizes, at::kCPU};
  }

  /// What a disturbance costs, and v(S) after the last of `adaptation.steps`, without the held-out noise: by the
  /// formulas above, the latter from the matrix of the sketch instead of steps.
  double damage(const Disturbance& disturbance) const {
    return half_square(residual(disturbed(disturbance))) - half_square(residual(value_));
  }
  double recovery(const Disturbance& disturbance, const Adaptation& adaptation) const {
    if (adaptation.parts.empty()) return 0;
    const Tensor moves = subspace(adaptation).compress(jacobian(trained(adaptation)));  // J_S E
    const Tensor step = at::eye(static_cast<int64_t>(size_.outputs), at::kDouble) - rate_ * moves.mm(moves.t());
    const Tensor all = at::matrix_power(step, adaptation.steps.back());
    const auto gained = [&](const Row& before) {
      const Tensor x = at::tensor(before, at::kDouble);
      return 0.5 * (x.dot(x) - all.mv(x).dot(all.mv(x))).item<double>();
    };
    return gained(residual(disturbed(disturbance))) - gained(residual(value_));
  }

 private:
  using Values = std::map<Component, Row>;

  std::size_t numbers_of(Part part) const {
    if (part == Part::k || part == Part::expert) return 2 * size_.outputs;
    if (part == Part::feed_forward || part == Part::embedding) return 3 * size_.outputs;
    return size_.outputs;
  }

  void add(const Component& component, Random& random) {
    components_.push_back(component);
    for (std::size_t k = 0; k < numbers_of(component.part); ++k) {
      gain_[component].push_back(random.gauss());
      value_[component].push_back(random.gauss());
    }
  }

  void count_call() {
    if (calls_ == stop_after_) throw std::runtime_error("killed");
    ++calls_;
  }

  Values disturbed(const Disturbance& disturbance) const {
    Values value = value_;
    for (const Component& component : disturbance.components) {
      Row& row = value.at(component);
      const double scale = disturbance.dose * root_mean_square(row);
      Random random(stream_key(disturbance.draw, to_string(component) + std::to_string(component.index)));
      for (double& number : row)
        number += is_router(component.part) ? disturbance.dose * (3 + 0.25 * static_cast<double>(disturbance.draw))
                                            : scale * random.gauss();
    }
    return value;
  }

  Row outputs_of(const Values& value) const {
    Row result(size_.outputs, 0.0);
    for (const auto& [component, numbers] : value)
      for (std::size_t k = 0; k < numbers.size(); ++k) result[k % size_.outputs] += gain_.at(component)[k] * numbers[k];
    return result;
  }
  Row residual(const Values& value) const {
    Row result = outputs_of(value);
    for (std::size_t o = 0; o < size_.outputs; ++o) result[o] -= goal_[o];
    return result;
  }
  Row distances(Row residual, int64_t example) const {
    for (std::size_t o = 0; o < size_.outputs; ++o) residual[o] -= noise_.at(static_cast<std::size_t>(example))[o];
    return residual;
  }
  std::vector<double> losses_at(const Row& residual, Examples examples) const {
    std::vector<double> result;
    for (int64_t example : examples) result.push_back(half_square(distances(residual, example)));
    return result;
  }
  Values gradient_at(const Row& residual) const {
    Values result = gain_;
    for (auto& [component, numbers] : result)
      for (std::size_t k = 0; k < numbers.size(); ++k) numbers[k] *= residual[k % size_.outputs];
    return result;
  }

  static Tensor joined(const Values& value, const std::vector<Component>& components) {
    Row all;
    for (const Component& component : components)
      all.insert(all.end(), value.at(component).begin(), value.at(component).end());
    return at::tensor(all, at::kDouble);
  }
  static void scatter(const Tensor& numbers, const std::vector<Component>& components, Values& value) {
    const double* next = numbers.const_data_ptr<double>();
    for (const Component& component : components)
      for (double& number : value.at(component)) number = *next++;
  }

  Size size_;
  double rate_;
  Row goal_;
  std::vector<Row> noise_;  // [sequences][outputs]
  std::vector<Component> components_;
  Values gain_, value_;
  std::vector<int64_t> asked_;
  std::string identity_ = "linear";
  int64_t calls_ = 0, adaptations_ = 0, stop_after_ = -1;
};

}  // namespace absorb
