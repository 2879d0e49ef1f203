#include "statistics/factorial.h"

#include <utility>

#include "core/error.h"

namespace absorb {
namespace {

Effect effect(std::vector<double> by_seed) {
  const Paired result = paired(by_seed);
  return {std::move(by_seed), result};
}

}  // namespace

Factorial factorial(const FactorialLosses& losses) {
  const auto& [ll, rl, lr, rr] = losses;
  check(ll.size() == rl.size() && ll.size() == lr.size() && ll.size() == rr.size(),
        "[factorial] the four arms need the same seeds, but have {}, {}, {} and {} of them", ll.size(), rl.size(),
        lr.size(), rr.size());
  std::vector<double> attention(ll.size()), moe(ll.size()), interaction(ll.size()), severity(ll.size());
  for (size_t i = 0; i < ll.size(); ++i) {
    attention[i] = ((rl[i] - ll[i]) + (rr[i] - lr[i])) / 2;
    moe[i] = ((lr[i] - ll[i]) + (rr[i] - rl[i])) / 2;
    interaction[i] = rr[i] - rl[i] - lr[i] + ll[i];
    severity[i] = moe[i] - attention[i];
  }
  return {effect(std::move(attention)), effect(std::move(moe)), effect(std::move(interaction)),
          effect(std::move(severity))};
}

}  // namespace absorb
