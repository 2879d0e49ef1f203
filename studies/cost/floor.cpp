#include "studies/cost/floor.h"

#include "core/error.h"
#include "moe/activation.h"
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
    const int64_t dense = layers_ - cost_.expert_layers;
    if (dense > 0) feed_forward("feed-forward", cost_.dense, run_.model.activation, dense);
    if (cost_.expert_layers > 0) all_experts();
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

  // x [N,in] times a matrix [in,out], in so many layers.
  void product(const std::string& name, double in, double out, int64_t count) {
    const double work = 2 * n_ * in * out, x = numbers(n_ * in), y = numbers(n_ * out), w = numbers(in * out);
    add(name, x + y + w, work, count);
    add(name + ", input gradient", x + y + w, work, count);
    add(name + ", weight gradient", x + y + 4 * in * out, work, count);
  }

  // Layers whose attention is routed, and those where it isn't.
  void attention() {
    if (cost_.routed_layers > 0) attention(cost_.attention_route.router, cost_.routed_layers);
    if (cost_.routed_layers < layers_) attention({}, layers_ - cost_.routed_layers);
    product("attention output", cost_.attention.attend.results, d_, layers_);
  }

  void attention(const Cost& router, int64_t count) {
    const AttentionCost& layer = cost_.attention;
    const double pairs = n_ * (static_cast<double>(run_.model.context) + tile) / 2;  // of a query and a key
    const double qkv = layer.qkv.results, factors = router.operations / (2 * d_);    // columns of one product
    const double operands = numbers(n_ * (qkv + layer.attend.results)), ab = router.bytes(element_) * n_;
    const double scores = pairs * router.pair_operations, all = pairs * layer.attend.pair_operations;
    product("Q, K, V" + std::string(factors > 0 ? " and router" : ""), d_, qkv + factors, count);
    add("attention", operands + ab, all + scores, count);
    // Five products in place of two, and three in place of the one of the router's factors.
    add("attention, backward", 2 * (operands + ab), 2.5 * all + 3 * scores, count);
    if (scores > 0) score_passes(ab, scores);
  }

  // What goes over the scores of keys once more: their factors are read and multiplied again.
  void score_passes(double factors, double scores) {
    const auto heads = static_cast<double>(run_.model.heads);
    if (const double passes = cost_.attention_route.selection.own.score_passes; passes > 0)
      add("choice of the keys", factors + 8 * n_ * heads, scores * passes, cost_.routed_layers);
    for (const auto& [name, cost] : cost_.attention_route.losses) {
      add(name + " loss", factors, scores * cost.score_passes, cost_.routed_layers);
      add(name + " loss, backward", 2 * factors, 2 * scores * cost.score_passes, cost_.routed_layers);
    }
  }

  // Two products around an activation, in so many layers.
  struct Hidden {
    double rows = 0;     // that pass the first
    double columns = 0;  // of the first: F, or 2F with swiglu
    double weights = 0;  // numbers of its matrix
    double gates = 1;    // 2 with swiglu
    bool separate = false;
    int64_t count = 0;
  };
  void products(const std::string& name, const Hidden& of) {
    const double work = 2 * of.rows * d_ * of.columns, w = numbers(of.weights), w32 = 4 * of.weights, g = of.gates;
    const double x = numbers(of.rows * d_), h = numbers(of.rows * of.columns);
    add(name + " in", x + (of.separate ? h : h + h / g) + w, work, of.count);
    add(name + " out", x + h / g + w / g, work / g, of.count);
    add(name + " out, input gradient", x + (of.separate ? h / g : 2 * h) + w / g, work / g, of.count);
    add(name + " out, weight gradient", x + h / g + w32 / g, work / g, of.count);
    add(name + " in, input gradient", x + h + w, work, of.count);
    add(name + " in, weight gradient", x + h + w32, work, of.count);
  }

  // All hidden units at once: the dense layer, or soft experts side by side. The activation is part of a product's
  // epilogue unless dropout or an expert's weight follows it.
  void feed_forward(const std::string& name, const HiddenCost& layer, const std::string& activation, int64_t count) {
    const double columns = layer.in.results, gates = static_cast<double>(inputs_of_activation(activation));
    const bool separate = run_.model.dropout > 0 || name == "experts";
    products(name, {n_, columns, d_ * columns, gates, separate, count});
    if (!separate) return;
    const double h = numbers(n_ * columns);
    add(name + " activation", h + h / gates, 0, count);
    add(name + " activation, backward", 2 * h + h / gates, 0, count);
  }

  void all_experts() {
    const std::string& activation = run_.model.moe.activation;
    router();
    if (cost_.active_experts < experts())
      dispatched_experts(static_cast<double>(inputs_of_activation(activation)));
    else
      feed_forward("experts", cost_.hidden, activation, cost_.expert_layers);
    if (run_.model.moe.shared > 0) feed_forward("shared expert", cost_.shared, activation, cost_.expert_layers);
  }

  double experts() const { return static_cast<double>(run_.model.moe.experts); }

  void router() {
    const double work = n_ * cost_.expert_route.router.operations;
    add("router", row() + 4 * n_ * experts(), work, cost_.expert_layers);
    add("router, backward", 2 * row(), 2 * work, cost_.expert_layers);
  }

  void dispatched_experts(double gates) {
    const double kept = cost_.active_experts, pairs = n_ * kept, columns = cost_.hidden.in.results / kept;
    const double x = numbers(pairs * d_);
    const int64_t count = cost_.expert_layers;
    add("sort of the tokens", 24 * pairs, 0, count);
    add("dispatch", row() + x, 0, count);
    add("dispatch, backward", x + row(), 0, count);
    // Every pair passes one expert's matrices; all experts' are read and written. Activation, dropout and all stand in
    // the grouped products' own epilogues.
    products("experts", {pairs, columns, d_ * columns * experts(), gates, /*separate=*/false, count});
    add("combine", x + row(), 0, count);
    add("combine, backward", row() + 2 * x, 0, count);
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
