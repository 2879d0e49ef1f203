#include "router/routers/hash.h"

#include <torch/types.h>

#include "core/error.h"

namespace absorb {
namespace {

// The table is a function of (seed, name), so that nothing has to be stored or trained.
class Hash final : public Router {
 public:
  Hash(const HashSettings& settings, const RoutingTask& task, const Parameters& parameters)
      : task_(task), seed_(parameters.seed()), name_(parameters.prefix() + "z"), type_(parameters.dtype()) {
    require(task.vocabulary > 0, "router \"hash\" reads token ids: this task doesn't say how many there are");
    columns_ = task.attention() ? task.groups * settings.rank : task.choices;
    // z . z' / sqrt(r) has sd |z|^2 / sqrt(r) per dimension: sqrt(sd) on either side.
    const double sd = task.score_sd == 0 ? 1 : task.score_sd;
    scale_ = task.attention() ? std::sqrt(sd) / std::pow(static_cast<double>(settings.rank), 0.25) : sd;
  }

  Scores score(const RouterInput& input, const Pass& pass) const override {
    check(pass.in.tokens.defined(), "router \"hash\" needs the tokens of the pass");
    Scores scores = sized_scores(task_, input);
    const Tensor z = table(input.items.device()).index_select(0, pass.in.tokens.reshape({-1}));
    Tensor rows = z.view({pass.in.tokens.size(0), pass.in.tokens.size(1), -1});
    // Not to bf16: what a token is routed to must not depend on how products are rounded.
    if (input.items.scalar_type() != at::kBFloat16) rows = rows.to(input.items.scalar_type());
    if (task_.attention())
      scores.items = scores.choices = split_groups(rows, task_.groups);
    else
      scores.dense = rows.unsqueeze(1);
    return scores;
  }

  Cost cost(const RoutingTask& task) const override {
    const auto columns = static_cast<double>(columns_);
    return {.pair_operations = task.attention() ? 2 * columns : 0, .results = columns};
  }

 private:
  // [V,G*R] or [V,E]
  const Tensor& table(at::Device device) const {
    if (!table_.defined() || table_.device() != device)
      table_ = gauss({stream_key(seed_, name_), {}}, {task_.vocabulary, columns_}, device).mul_(scale_).to(type_);
    return table_;
  }
  RoutingTask task_;
  uint64_t seed_;
  std::string name_;
  at::ScalarType type_;
  int64_t columns_ = 0;
  double scale_ = 1;
  mutable Tensor table_;
};

}  // namespace

void fields(Fields& list, HashSettings& settings) {
  list.field("rank", settings.rank, {1, 4096}, "Attention: dimensions of z, per routing group.");
}

void add_hash(Routers& routers) {
  routers.add<HashSettings>("hash", "z(token_t) . z(token_s), fixed random z; fixed random experts of each token id",
                            [](const HashSettings& settings, const RoutingTask& task, Parameters parameters) {
                              return std::make_shared<Hash>(settings, task, parameters);
                            },
                            {.learns = false, .reads_input = false, .tokens = true});
}

}  // namespace absorb
