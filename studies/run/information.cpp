#include "studies/run/information.h"

#include <torch/types.h>

#include <algorithm>
#include <limits>
#include <set>

#include "core/error.h"
#include "studies/run/probe.h"
#include "transformer/gains.h"

namespace absorb {
namespace {

constexpr int64_t sequences_of_a_place = 128;  // at least, where there are as many

uint64_t seed_of(const LiveRun& run) {
  return static_cast<uint64_t>(run.settings().seed);
}

/// `wanted` of the numbers below `all`, each set as likely (Floyd; Bentley 1987), ascending; all where there are fewer.
std::vector<int64_t> drawn(int64_t all, int64_t wanted, Random& random) {
  std::set<int64_t> out;
  for (int64_t last = std::max<int64_t>(0, all - wanted); last < all; ++last)
    if (const auto one = static_cast<int64_t>(random.below(static_cast<uint64_t>(last + 1))); !out.insert(one).second)
      out.insert(last);
  return {out.begin(), out.end()};
}

/// One place of a sequence: the token `query`, or the pair of it and `key` in one head.
struct Place {
  int64_t head = 0, query = 0, key = 0;
};

/// What tells which of the kept choices weighs most. Weights rise with scores, and a sigmoid in float has ties.
Tensor by_weight(const Routing& routing, const Tensor& scores) {
  if (routing.gate && std::holds_alternative<KeepAll>(routing.keep)) return weights(routing, scores);
  const bool equal = routing.weight == Weight::one || routing.weight == Weight::mean;
  return equal ? dense(chosen_by(routing)) : scores;
}

/// [B,T]: the kept expert of the largest weight.
Tensor top_expert(const Routing& routing) {
  const Tensor scores = dense(routing.scores), by = by_weight(routing, scores), kept = keep_mask(routing, scores);
  const auto least = -std::numeric_limits<double>::infinity();
  return (kept.defined() ? by.masked_fill(kept.logical_not(), least) : by).argmax(-1).select(1, 0);
}

/// What is decided at the drawn places of one site, batch by batch, and what would have helped there.
class SiteChoices {
 public:
  SiteChoices(const Site& site, const RoutingTask& task, const InformationRequest& request, int64_t sequences)
      : task_(task),
        random_(stream_key(request.key, "information/" + site)),
        groups_(std::max<int64_t>(1, sequences / sequences_of_a_place)),
        wanted_(std::max<int64_t>(1, request.observations / sequences)) {}

  void decide(const Routing& routing, const RouterInput& input) {
    items_ = input.items.size(1);
    if (!task_.attention()) {
      draw(1, 0);
      look(input.items.size(0));
      decisions_.push_back(at_places(top_expert(routing), &SiteChoices::token));
      features_.push_back(input_at_places(input.items, &SiteChoices::token));
      return;
    }
    top_ = {{}, {}, budget(routing), false};
    if (const auto* top = std::get_if<KeepTop>(&routing.keep)) top_.self = top->self;
    if (top_.k == 0 || top_.k >= items_) return;
    draw(routing.scores.groups, top_.k);
    look(input.items.size(0));
    const Tensor scores = dense(routing.scores);
    decisions_.push_back(at_places(keep_mask(routing, scores).expand_as(scores), &SiteChoices::pair_in_head));
    const Tensor query = input_at_places(input.items, &SiteChoices::token);
    const Tensor key = input_at_places(input.choices, &SiteChoices::key);
    features_.push_back(at::cat({query, key, query * key}, 1));
  }

  /// `input` of the independent run, at a site that has decided.
  void label_keys(const RouterInput& input, const RoutingTask& task) {
    if (places_.empty() || !has_native(input)) return;
    Routing best;
    best.scores = scores_of(native_logits(input, task).softmax(-1).mean(1, true));
    best.keep = top_k(best.scores.dense, top_.k, task.visible, top_.self);
    best.visible = task.visible;
    labels_.push_back(at_places(keep_mask(best, best.scores.dense), &SiteChoices::pair));
    labelled_.push_back(at::ones_like(labels_.back(), at::kBool));
  }

  /// `gains` [B,T,E].
  void label_experts(const Tensor& gains) {
    labels_.push_back(at_places(gains.argmax(-1), &SiteChoices::token));
    labelled_.push_back(at_places(gains.amax(-1) > gains.amin(-1), &SiteChoices::token).to(at::kBool));
  }

  bool attention() const { return task_.attention(); }

  /// n = 0 where nothing has a label.
  ObservedChoices observed() const {
    ObservedChoices out;
    out.attention = attention();
    if (labels_.empty()) return out;
    const Tensor some = at::cat(labelled_).nonzero().squeeze(1);
    const auto all = [&](const std::vector<Tensor>& parts) { return at::cat(parts).index_select(0, some); };
    if (!attention()) out.kinds = task_.choices;
    out.decisions = all(decisions_);
    out.labels = all(labels_);
    out.features = all(features_);
    out.strata = attention() ? all(strata_) : at::zeros_like(out.labels);
    out.fit = all(sequence_) < sequences_ / 2;
    return out;
  }

 private:
  using Index = int64_t (SiteChoices::*)(const Place&) const;
  int64_t token(const Place& place) const { return place.query; }
  int64_t key(const Place& place) const { return place.key; }
  int64_t pair(const Place& place) const { return place.query * items_ + place.key; }
  int64_t pair_in_head(const Place& place) const { return place.head * items_ * items_ + pair(place); }

  /// Places for each group of sequences; pairs of queries from `first` on with the keys before them.
  void draw(int64_t heads, int64_t first) {
    if (!places_.empty()) return;
    std::vector<Place> all;
    for (int64_t head = 0; head < heads; ++head)
      for (int64_t query = first; query < items_; ++query) {
        if (!attention()) all.push_back({0, query, 0});
        for (int64_t key = 0; attention() && key < query; ++key) all.push_back({head, query, key});
      }
    for (int64_t group = 0; group < groups_; ++group) {
      places_.emplace_back();
      for (const int64_t one : drawn(static_cast<int64_t>(all.size()), wanted_, random_))
        places_.back().push_back(all[static_cast<size_t>(one)]);
    }
  }

  /// Notes where the next batch is looked at.
  void look(int64_t rows) {
    const auto width = static_cast<int64_t>(places_[0].size());
    const Tensor sequence = at::arange(sequences_, sequences_ + rows, at::kLong).unsqueeze(1);
    group_ = sequence.remainder(groups_);
    strata_.push_back((group_ * width + at::arange(width, at::kLong)).flatten());
    sequence_.push_back(sequence.expand({rows, width}).flatten());
    sequences_ += rows;
  }

  /// [B w]: where the places of the batch's sequences lie among B times `size` numbers.
  Tensor index(int64_t size, Index of) const {
    std::vector<int64_t> by_group;
    for (const auto& places : places_)
      for (const Place& place : places) by_group.push_back((this->*of)(place));
    const Tensor places = at::tensor(by_group, at::kLong).view({groups_, -1}).index_select(0, group_.squeeze(1));
    return (places + at::arange(group_.size(0), at::kLong).unsqueeze(1) * size).flatten();
  }
  /// x [B,...] -> [B w] int64 on the CPU.
  Tensor at_places(const Tensor& x, Index of) const {
    return x.reshape({-1}).index_select(0, index(x.numel() / x.size(0), of).to(x.device())).to(at::kCPU, at::kLong);
  }
  /// x [B,T,D] -> [B w,D] on the CPU.
  Tensor input_at_places(const Tensor& x, Index of) const {
    return x.reshape({-1, x.size(2)}).index_select(0, index(x.size(1), of).to(x.device())).to(at::kCPU, at::kFloat);
  }

  RoutingTask task_;
  Random random_;
  int64_t groups_, wanted_, items_ = 0, sequences_ = 0;
  KeepTop top_;
  std::vector<std::vector<Place>> places_;  // by group
  Tensor group_;                            // [B,1] of the batch
  std::vector<Tensor> decisions_, labels_, labelled_, features_, strata_, sequence_;
};

/// Both runs over the same text.
class Reader {
 public:
  Reader(const LiveRun& run, const Routes& routes, const LiveRun& independent, const Dataset& data,
         const InformationRequest& request)
      : independent_(independent) {
    for (const auto& [site, route] : routes.at)
      require(independent.routes().find(site) != nullptr,
              "routing information: the independent run has no routing at {}: take one of the same target", site);
    const TrainingSettings& t = run.settings().training;
    const EvaluationRequest text{Split::valid, t.batch / t.accumulate, request.tokens, seed_of(run)};
    int64_t sequences = 0;
    observe(
        [&](const Batch& batch, Pass&) {
          sequences += batch.tokens.size(0);
          return Tensor{};
        },
        data, text, at::kCPU);
    require(sequences > 0, "routing information: there is no valid text of a whole context");
    for (const auto& [site, route] : routes.at) sites_.try_emplace(site, site, route->task(), request, sequences);
    Routes watched = routes;
    watched.observe = [this](const Site& site, const Routing& routing, const RouterInput& input) {
      sites_.at(site).decide(routing, input);
    };
    const TokenLosses deciding = run.losses(watched);
    observe(
        [&](const Batch& batch, Pass& pass) {
          const Tensor losses = deciding(batch, pass);
          label(batch, pass);
          return losses;
        },
        data, text, run.device());
  }

  const std::map<Site, SiteChoices>& sites() const { return sites_; }

 private:
  void label(const Batch& batch, const Pass& pass) {
    Routes watched = independent_.routes();
    watched.observe = [this](const Site& site, const Routing&, const RouterInput& input) {
      const RoutingTask& task = independent_.routes().find(site)->task();
      at::NoGradGuard no_grad;
      if (const auto found = sites_.find(site); found != sites_.end() && task.attention())
        found->second.label_keys(input, task);
    };
    Pass own{.in = {.seed = seed_of(independent_), .step = pass.in.step}};
    const Model& model = independent_.model();
    if (!target_named(independent_.settings().target).moe) {
      model.losses(batch.tokens, batch.targets, watched, own);
      return;
    }
    for (const auto& [site, gains] : expected_gains(model, batch.tokens, batch.targets, watched, own))
      if (const auto found = sites_.find(site); found != sites_.end()) found->second.label_experts(gains);
  }

  const LiveRun& independent_;
  std::map<Site, SiteChoices> sites_;
};

std::vector<int64_t> numbers(const Tensor& x) {
  const Tensor whole = x.contiguous();
  return {whole.const_data_ptr<int64_t>(), whole.const_data_ptr<int64_t>() + whole.numel()};
}

BitsRecord bits(const std::vector<CountTable>& tables, int64_t permutations, uint64_t key) {
  if (tables.empty()) return {};
  const Information found = information(tables, permutations, key);
  return {found.n,         found.decision_entropy, found.label_entropy, found.plug_in,
          found.corrected, found.null_mean,        found.null_95,       found.p};
}

}  // namespace

InformationTables count_choices(const ObservedChoices& seen) {
  InformationTables out;
  out.decision = count_pairs(numbers(seen.decisions), numbers(seen.labels), numbers(seen.strata));
  if (!seen.fit.any().item<bool>() || seen.fit.all().item<bool>()) return out;
  const Tensor probed = seen.attention ? probed_kept(seen.features, seen.labels, seen.strata, seen.fit)
                                       : probed_labels(seen.features, seen.labels, seen.kinds, seen.fit);
  const Tensor asked = seen.fit.logical_not();
  out.ceiling = count_pairs(numbers(probed), numbers(seen.labels.masked_select(asked)),
                            numbers(seen.strata.masked_select(asked)));
  return out;
}

SiteInformation site_information(const InformationTables& tables, int64_t permutations, uint64_t key) {
  return {bits(tables.decision, permutations, stream_key(key, "decision")),
          bits(tables.ceiling, permutations, stream_key(key, "ceiling"))};
}

std::map<std::string, InformationRecord> routing_information(const LiveRun& run, const Routes& routes,
                                                             const LiveRun& independent, const Dataset& data,
                                                             const InformationRequest& request) {
  std::map<std::string, InformationRecord> out;
  std::map<std::string, InformationTables> whole;
  const Reader read(run, routes, independent, data, request);
  for (const auto& [site, choices] : read.sites()) {
    const ObservedChoices seen = choices.observed();
    if (!seen.labels.defined() || seen.labels.numel() == 0) continue;
    const std::string kind = choices.attention() ? "attention" : "moe";
    const InformationTables tables = count_choices(seen);
    out[kind].sites[site] = site_information(tables, request.permutations, stream_key(request.key, site));
    for (auto part : {&InformationTables::decision, &InformationTables::ceiling})
      (whole[kind].*part).insert((whole[kind].*part).end(), (tables.*part).begin(), (tables.*part).end());
  }
  for (const auto& [kind, tables] : whole) {
    const SiteInformation all = site_information(tables, request.permutations, stream_key(request.key, kind));
    out[kind].decision = all.decision;
    out[kind].ceiling = all.ceiling;
  }
  return out;
}

}  // namespace absorb
