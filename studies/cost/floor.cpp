#include "studies/cost/floor.h"

#include "core/error.h"
#include "studies/plan/matching.h"

namespace absorb {
namespace {

constexpr double tile = 64;  // of attention: a query sees (T + tile) / 2 keys on average
constexpr double vocabulary_pad = 64;

class Step {
 public:
  Step(const RunSettings& run, int64_t vocabulary, const std::string& precision)
      : run_(run),
        target_(target_named(run.target)),
        element_(precision == "bf16" ? 2 : 4),
        layers_(run.model.layers),
        n_(static_cast<double>(run.training.batch * run.model.context)),
        d_(static_cast<double>(run.model.width)),
        vocabulary_(std::ceil(static_cast<double>(vocabulary) / vocabulary_pad) * vocabulary_pad),
        cost_(size_of(run, vocabulary).cost),
        parameters_(static_cast<double>(cost_.whole().parameters)) {}

  std::vector<FloorOperation> operations() {
    add("embedding", 8 * n_ + row() + residual(), 0, 1);
    add("embedding, backward", row() + residual(), 0, 1);
    add("norm with residual", 2 * residual() + 2 * row(), 0, 2 * layers_ + 1);
    add("norm, backward", residual() + 3 * row(), 0, 2 * layers_ + 1);
    attention();
    if (target_.moe && cost_.active_experts < experts())
      dispatched_experts();
    else
      feed_forward();
    head();
    add("gradient norm", 4 * parameters_, 0, 1);
    add("AdamW", (28 + (element_ == 2 ? 2 : 0)) * parameters_, 0, 1);  // weight, moments, gradient, bf16 copy
    return std::move(list_);
  }

 private:
  void add(std::string name, double bytes, double operations, int64_t count) {
    list_.push_back({std::move(name), bytes, operations, count});
  }
  double row() const { return n_ * d_ * element_; }  // [N,D]
  double residual() const { return n_ * d_ * 4; }
  double numbers(double count) const { return count * element_; }

  // x [N,in] times a matrix [in,out].
  void product(const std::string& name, double in, double out) {
    const double work = 2 * n_ * in * out, x = numbers(n_ * in), y = numbers(n_ * out), w = numbers(in * out);
    add(name, x + y + w, work, layers_);
    add(name + ", input gradient", x + y + w, work, layers_);
    add(name + ", weight gradient", x + y + 4 * in * out, work, layers_);
  }

  void attention() {
    const AttentionCost& layer = cost_.attention;
    const Cost& router = cost_.attention_route.router;
    const double pairs = n_ * (static_cast<double>(run_.model.context) + tile) / 2;  // of a query and a key
    const double qkv = layer.qkv.results, factors = router.operations / (2 * d_);    // columns of one product
    const double operands = numbers(n_ * (qkv + layer.attend.results)), ab = router.bytes(element_) * n_;
    const double scores = pairs * router.pair_operations, all = pairs * layer.attend.pair_operations;
    product("Q, K, V" + std::string(factors > 0 ? " and router" : ""), d_, qkv + factors);
    add("attention", operands + ab, all + scores, layers_);
    // Five products in place of two, and three in place of the one of the router's factors.
    add("attention, backward", 2 * (operands + ab), 2.5 * all + 3 * scores, layers_);
    if (scores > 0) score_passes(ab, scores);
    product("attention output", d_, layer.out.results);
  }

  // What goes over the scores of keys once more: their factors are read and multiplied again.
  void score_passes(double factors, double scores) {
    const auto heads = static_cast<double>(run_.model.heads);
    if (const double passes = cost_.attention_route.selection.own.score_passes; passes > 0)
      add("choice of the keys", factors + 8 * n_ * heads, scores * passes, layers_);
    for (const auto& [name, cost] : cost_.attention_route.losses) {
      add(name + " loss", factors, scores * cost.score_passes, layers_);
      add(name + " loss, backward", 2 * factors, 2 * scores * cost.score_passes, layers_);
    }
  }

  // All hidden units at once: the dense layer, or soft experts side by side. The activation is part of a product's
  // epilogue unless dropout or an expert's weight follows it.
  void feed_forward() {
    const double hidden = cost_.hidden.in.results;
    const bool separate = run_.model.dropout > 0 || target_.moe;
    const std::string name = target_.moe ? "experts" : "feed-forward";
    const double h = numbers(n_ * hidden);
    if (target_.moe) router();
    hidden_products(name, n_, hidden, d_ * hidden, separate);
    if (!separate) return;
    add(name + " activation", 2 * h, 0, layers_);
    add(name + " activation, backward", 3 * h, 0, layers_);
  }

  // Both products of n rows through `hidden` units, of matrices that hold `weights` numbers each.
  void hidden_products(const std::string& name, double n, double hidden, double weights, bool separate) {
    const double work = 2 * n * d_ * hidden, w = numbers(weights), w32 = 4 * weights;
    const double x = numbers(n * d_), h = numbers(n * hidden), twice = separate ? 1 : 2;  // before and after
    add(name + " in", x + twice * h + w, work, layers_);
    add(name + " out", x + h + w, work, layers_);
    add(name + " out, input gradient", x + twice * h + w, work, layers_);
    add(name + " out, weight gradient", x + h + w32, work, layers_);
    add(name + " in, input gradient", x + h + w, work, layers_);
    add(name + " in, weight gradient", x + h + w32, work, layers_);
  }

  double experts() const { return static_cast<double>(run_.model.moe.experts); }

  void router() {
    const double work = n_ * cost_.expert_route.router.operations;
    add("router", row() + 4 * n_ * experts(), work, layers_);
    add("router, backward", 2 * row(), 2 * work, layers_);
  }

  void dispatched_experts() {
    const double kept = cost_.active_experts, pairs = n_ * kept, hidden = cost_.hidden.in.results / kept;
    const double x = numbers(pairs * d_);
    router();
    add("sort of the tokens", 24 * pairs, 0, layers_);
    add("dispatch", row() + x, 0, layers_);
    add("dispatch, backward", x + row(), 0, layers_);
    // Every pair passes one expert's matrices; all experts' are read and written. Activation, dropout and all stand in
    // the grouped products' own epilogues.
    hidden_products("experts", pairs, hidden, d_ * hidden * experts(), /*separate=*/false);
    add("combine", x + row(), 0, layers_);
    add("combine, backward", row() + 2 * x, 0, layers_);
  }

  void head() {
    const double logits = numbers(n_ * vocabulary_), work = 2 * n_ * d_ * vocabulary_;
    const double w = vocabulary_ * d_;
    add("logits", row() + numbers(w) + logits, work, 1);
    add(loss_pass, 2 * logits, 0, 1);
    add("logits, input gradient", row() + numbers(w) + logits, work, 1);
    add("logits, weight gradient", row() + 4 * w + logits, work, 1);
  }

  const RunSettings& run_;
  Target target_;
  double element_;  // bytes of an activation
  int64_t layers_;
  double n_, d_, vocabulary_;  // tokens a step, width, ids with padding
  ModelCost cost_;
  double parameters_;
  std::vector<FloorOperation> list_;
};

}  // namespace

double product_rate(const std::string& precision, bool tf32) {
  constexpr double bf16 = 780e12;
  if (precision == "bf16") return bf16;
  return tf32 ? bf16 / 2 : bf16 * 67 / 989;
}

std::vector<FloorOperation> step_operations(const RunSettings& run, int64_t vocabulary, const std::string& precision) {
  check(precision == "bf16" || precision == "fp32", "no floor for precision {}", precision);
  return Step(run, vocabulary, precision).operations();
}

double floor_seconds(const FloorOperation& operation, const DeviceRates& rates) {
  return static_cast<double>(operation.count) *
         std::max(operation.bytes / rates.bytes_per_second, operation.operations / rates.operations_per_second);
}

double floor_seconds(const std::vector<FloorOperation>& operations, const DeviceRates& rates) {
  double seconds = 0;
  for (const FloorOperation& operation : operations) seconds += floor_seconds(operation, rates);
  return seconds;
}

}  // namespace absorb
