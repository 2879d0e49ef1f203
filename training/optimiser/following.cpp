#include "training/optimiser/following.h"

#include <torch/types.h>

#include "core/error.h"

namespace absorb {
namespace {

constexpr int64_t most_kept = 50;  // weights that are kept of one router, however long the lag

std::string name_of(int64_t lag) {
  return fmt::format("choice_history.{}", lag);
}

}  // namespace

Following::Following(const Parameters& parameters) : parameters_(parameters) {
  std::map<std::string, Run> by_name;
  parameters.each_slice([&](const Slice& slice, int64_t begin, int64_t end) { by_name[slice.name] = {begin, end}; });
  parameters.each_slice([&](const Slice& slice, int64_t begin, int64_t end) {
    if (!slice.follows) return;
    if (slice.follows->redraw_every > 0) {
      draws_.push_back({slice, {begin, end}});
      return;
    }
    Lag& copies = lags_[slice.follows->lag];
    copies.steps = slice.follows->lag;
    copies.stride = (copies.steps + most_kept - 1) / most_kept;
    copies.kept = (copies.steps + copies.stride - 1) / copies.stride;
    const auto original = by_name.find(slice.follows->original);
    check(original != by_name.end(), "[Following] {} copies {}, which isn't there", slice.name,
          slice.follows->original);
    copies.from.push_back(original->second);
    copies.to.push_back({begin, end});
  });
  at::NoGradGuard no_grad;
  for (auto& [steps, copies] : lags_) {
    const Tensor now = numbers(copies.from);
    copies.history = now.unsqueeze(0).repeat({copies.kept, 1});
  }
}

Tensor Following::numbers(const std::vector<Run>& runs) const {
  std::vector<Tensor> parts;
  for (const auto& [begin, end] : runs) parts.push_back(parameters_.flat().narrow(0, begin, end - begin));
  return at::cat(parts);
}

bool Following::before(int64_t step) {
  if (draws_.empty() && lags_.empty()) return false;
  at::NoGradGuard no_grad;
  bool changed = draw(step);
  for (auto& [steps, copies] : lags_) changed = lag(copies, step) || changed;
  return changed;
}

bool Following::draw(int64_t step) {
  bool changed = false;
  for (const auto& [slice, to] : draws_) {
    const int64_t every = slice.follows->redraw_every;
    if (step == 1 || (step - 1) % every != 0) continue;  // the first draw is there from the start
    const Tensor place = parameters_.flat().narrow(0, to.begin, to.end - to.begin);
    place.copy_(parameters_.draw(slice, place.sizes(), (step - 1) / every, place.device()));
    changed = true;
  }
  return changed;
}

bool Following::lag(Lag& copies, int64_t step) const {
  if ((step - 1) % copies.stride != 0) return false;
  // The oldest of a full ring is kept * stride steps old; it goes into the copies, and the weights of now in its place.
  const Tensor oldest = copies.history[(step - 1) / copies.stride % copies.kept];
  int64_t at = 0;
  for (const auto& [begin, end] : copies.to) {
    parameters_.flat().narrow(0, begin, end - begin).copy_(oldest.narrow(0, at, end - begin));
    at += end - begin;
  }
  oldest.copy_(numbers(copies.from));
  return true;
}

NamedTensors Following::state() const {
  NamedTensors state;
  for (const auto& [steps, copies] : lags_) state.emplace_back(name_of(steps), copies.history);
  return state;
}

void Following::load(const std::map<std::string, Tensor>& saved) {
  for (auto& [steps, copies] : lags_) {
    const auto found = saved.find(name_of(steps));
    require(found != saved.end() && found->second.sizes() == copies.history.sizes(),
            "the checkpoint holds no {} of this run's size", name_of(steps));
    copies.history.copy_(found->second);
  }
}

}  // namespace absorb
