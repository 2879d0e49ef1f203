// A trained run as a Subject. One class in five sources: what it is and its losses (run_subject.cpp), adaptation
// (adapt.cpp), first and second derivatives (derivatives.cpp), direct effects and ablations (effects.cpp), experts and
// their routers (expert_layers.cpp).
#pragma once

#include <map>

#include "studies/run/evaluation.h"
#include "studies/subject/coordinates.h"
#include "studies/subject/subject.h"

namespace absorb {

class RunSubject final : public Subject {
 public:
  RunSubject(const RunSpec& run, const SubjectOptions& options);

  std::string identity() const override { return identity_; }
  std::span<const Component> components() const override { return components_; }
  int64_t numbers(const Component& component) const override { return numbers_.at(component); }
  int64_t layers() const override { return settings_.model.layers; }
  int64_t held_out() const override { return held_out_; }
  int64_t tokens_per_sequence() const override { return data_->context(); }
  double rate() const override { return settings_.training.learning_rate / 10; }

  std::vector<double> losses(Examples examples, const Disturbance& disturbance) override;
  Adapted adapt(const Disturbance& disturbance, const Adaptation& adaptation, Examples examples) override;

  Tensor values(const Group& group) override;
  std::vector<Tensor> example_gradients(std::span<const Group> groups, Examples examples, int64_t dimension) override;
  std::vector<Tensor> gradients(std::span<const Group> groups, const Disturbance& disturbance,
                                Examples examples) override;
  std::vector<Tensor> hessian_products(std::span<const Group> groups, std::size_t block, const Tensor& v,
                                       Examples examples) override;

  std::vector<Group> writers() const override;
  Tensor direct_effects(std::optional<std::size_t> ablated, Examples examples) override;
  std::vector<double> ablated_losses(std::span<const std::size_t> ablated, Examples examples) override;
  std::vector<ExpertLayer> expert_layers(Examples examples) override;

 private:
  /// The run under one disturbance: everything is put back at its end, an exception's included.
  class Disturbed;
  using Writes = std::map<Site, Tensor>;
  using Write = decltype(PassInput::write);

  /// Drawn once: a random router costs passes to match.
  const RandomRoutes& random_routes(const std::vector<Component>& routers, uint64_t draw);
  Batch sequences(Examples examples) const;
  /// Calls `visit` with each batch of the examples and a pass of its own, on the device.
  void each_batch(Examples examples, const std::function<void(const Batch&, Pass&)>& visit) const;
  /// `write`: as in PassInput.
  std::vector<double> evaluate(const Routes& routes, Examples examples, const Write& write = {}) const;
  /// Mean loss of one batch of training text for step `step` of adaptation.
  Tensor adaptation_loss(const TokenLosses& losses, int64_t step) const;
  /// What each writer adds on one batch.
  Writes writes_of(const Batch& batch, const Pass& pass, const Site& ablated, const Tensor& instead) const;
  /// [D] each: what each writer adds, the mean over the examples' tokens. Those of the last examples are kept, since
  /// every writer is ablated on them in turn.
  const Writes& means_of(Examples examples);

  RunSettings settings_;
  int64_t batch_ = 0;
  std::shared_ptr<const Dataset> data_;
  LiveRun run_;
  std::string identity_;
  std::vector<Component> components_;
  std::map<Component, int64_t> numbers_;
  int64_t held_out_ = 0;
  std::map<std::pair<std::vector<Component>, uint64_t>, RandomRoutes> random_;
  std::vector<int64_t> averaged_;  // the examples of means_
  Writes means_;
};

/// Mean loss of `batch` in nats per token, over its targets.
Tensor mean_loss_of(const Tensor& nats, const Batch& batch);

class RunSubject::Disturbed {
 public:
  Disturbed(RunSubject& subject, const Disturbance& disturbance);
  ~Disturbed();
  Disturbed(const Disturbed&) = delete;
  Disturbed& operator=(const Disturbed&) = delete;

  const Routes& routes() const { return routes_; }
  /// The run's parameters, and the random router's where there is one.
  const std::vector<Parameters>& stores() const { return stores_; }

 private:
  void add_noise(RunSubject& subject, const std::vector<Component>& components, const Disturbance& disturbance);
  Routes routes_;
  std::vector<Parameters> stores_;
  std::vector<Tensor> saved_;  // values of the stores
};

}  // namespace absorb
