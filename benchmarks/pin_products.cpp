// Writes tensors/linear/pinned_products.cpp: for every matrix product in a training step of the studies' arms, the
// fastest algorithm that cuBLASLt has on this card.
//
//     cmake --build --preset release --target pin_products
//     build/release/pin_products benchmarks/arms/*.toml > tensors/linear/pinned_products.cpp
//
// Candidates are what the heuristic offers, what the table has, and what lies near the best of those: running this
// again with its own table may find more. The best are timed in turns, in captured graphs over inputs that don't fit
// the second-level cache together. One that isn't faster than the heuristic's first by 2 %, or whose bits differ
// between launches, isn't pinned.
#include <torch/types.h>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <set>

#include "benchmarks/product_timing.h"
#include "core/device.h"
#include "core/error.h"
#include "studies/cost/bench.h"
#include "studies/plan/plan.h"
#include "tensors/cuda/product_plan.h"
#include "training/data/vocabulary.h"

namespace absorb {
namespace {

using products::Plan;

constexpr double worth = 0.98;  // of the first's time
constexpr int most_offered = 64, rounds = 4, finalists = 4, turns = 7;

struct Timed {
  Plan plan;
  double us = 0;
  bool expanded = false;  // its neighbours are known
};

Launch launch_of(const ProductShape& shape, const Plan& plan) {
  return [=](const Matrices::Set& m) { products::run(shape, plan, m.out, m.a, m.b); };
}

// LibTorch's product, for comparison.
Launch torch_launch(const ProductKind& kind) {
  return [=](const Matrices::Set& m) {
    Tensor out = m.out;
    if (kind.fp32)
      at::addmm_outf(out, m.a, m.b, at::kFloat, kind.adds ? 1 : 0, 1, out);
    else
      at::addmm_outf(out, m.a, m.b, kind.adds ? 1 : 0, 1, out);
  };
}

// Roughly, and those that are clearly slow with a single launch.
void time_all(const std::vector<Plan>& plans, Matrices& matrices, std::vector<Timed>& all) {
  for (const Plan& plan : plans) {
    const auto same = [&](const Timed& t) { return t.plan.algorithm == plan.algorithm; };
    if (std::any_of(all.begin(), all.end(), same)) continue;
    const Launch launch = launch_of(matrices.shape(), plan);
    launch(matrices.next());  // loads it
    double us = microseconds_each(launch, matrices, 1), best = us;
    for (const Timed& t : all) best = std::min(best, t.us);
    if (us < 2 * best + 5) us = microseconds_each(launch, matrices, std::clamp(static_cast<int>(300 / us), 2, 10));
    all.push_back({plan, us});
  }
}

bool repeats_bits(const ProductShape& shape, const Plan& plan, Matrices& matrices) {
  const Matrices::Set& m = matrices.next();
  const Tensor before = m.out.clone();
  Tensor first;
  for (int i = 0; i < 8; ++i) {
    m.out.copy_(before);
    products::run(shape, plan, m.out, m.a, m.b);
    if (!first.defined())
      first = m.out.clone();
    else if (!at::equal(first, m.out))
      return false;
  }
  // And they are the right ones.
  m.out.copy_(before);
  torch_launch(shape.kind)(m);
  const Tensor off = (m.out.to(at::kFloat) - first.to(at::kFloat)).abs().max();
  return off.item<double>() < 0.02 * m.out.to(at::kFloat).abs().max().item<double>();
}

bool faster(const Timed& a, const Timed& b) {
  return a.us < b.us;
}

// The heuristic's first and after it the most promising others.
std::vector<Timed> candidates(const ProductShape& shape, Matrices& matrices, int& tried) {
  std::vector<Timed> all;
  time_all(products::heuristic_plans(shape, most_offered), matrices, all);
  check(!all.empty(), "nothing is offered");
  const Plan first = all.front().plan, now = products::plan_of(shape);
  if (now.pinned) time_all({now}, matrices, all);
  for (int round = 0; round < rounds; ++round) {
    std::sort(all.begin(), all.end(), faster);
    const auto next = std::find_if(all.begin(), all.end(), [](const Timed& t) { return !t.expanded; });
    if (next == all.end()) break;
    next->expanded = true;
    time_all(products::neighbours(shape, next->plan), matrices, all);
  }
  tried = static_cast<int>(all.size());
  std::sort(all.begin(), all.end(), faster);
  all.resize(std::min<std::size_t>(finalists, all.size()));
  const auto is = [](const Plan& plan) { return [&](const Timed& t) { return t.plan.algorithm == plan.algorithm; }; };
  if (now.pinned && std::none_of(all.begin(), all.end(), is(now))) all.push_back({now, all.front().us});
  std::erase_if(all, is(first));
  std::erase_if(all, [&](const Timed& t) { return !repeats_bits(shape, t.plan, matrices); });
  all.insert(all.begin(), {first, microseconds_each(launch_of(shape, first), matrices, 3)});
  return all;
}

struct Found {
  ProductShape shape;
  Timed first, best;
  double torch_us = 0;
  int tried = 0;
};

Found search(const ProductShape& shape) {
  Matrices matrices(shape);
  Found found;
  found.shape = shape;
  std::vector<Timed> all = candidates(shape, matrices, found.tried);
  std::vector<Replay> replays;
  for (const Timed& t : all) replays.emplace_back(launch_of(shape, t.plan), matrices, t.us);
  replays.emplace_back(torch_launch(shape.kind), matrices, all.front().us);
  for (int turn = 0; turn < turns; ++turn)
    for (Replay& replay : replays) replay.time();
  for (std::size_t i = 0; i < all.size(); ++i) all[i].us = replays[i].us();
  found.torch_us = replays.back().us();
  found.first = all.front();
  found.best = *std::min_element(all.begin(), all.end(), faster);
  return found;
}

// One step of each arm: the products that it makes.
std::set<ProductShape> shapes_of(const std::vector<std::string>& studies, at::Device device) {
  for (const std::string& file : studies)
    for (const RunSpec& run : plan_runs(read_study(file), "runs").runs) {
      const BenchRun bench(run.settings, stated_vocabulary(run.settings.data), device, /*fused=*/true, /*warmup=*/1);
      fmt::print(stderr, "{} {}: {} shapes by now\n", file, run.arm, products::planned_shapes().size());
    }
  std::set<ProductShape> shapes;
  std::set<ProductKind> kinds;
  // Of shapes that differ in strides alone the first stands for all.
  for (const ProductShape& shape : products::planned_shapes())
    if (shape.alignment == 16 && kinds.insert(shape.kind).second) shapes.insert(shape);
  return shapes;
}

std::string named(const ProductKind& k) {
  return fmt::format("{} x {} x {} {}{} {}{}", k.rows, k.inner, k.columns, k.a_transposed ? 't' : 'n',
                     k.b_transposed ? 't' : 'n', k.fp32 ? "fp32" : "bf16", k.adds ? " adds" : "");
}

void say(const Found& f) {
  fmt::print(stderr, "{:40} LibTorch {:.2f}, first {:.2f}, best of {} {:.2f} us ({:.3f}): {}\n", named(f.shape.kind),
             f.torch_us, f.first.us, f.tried, f.best.us, f.best.us / f.first.us,
             products::description(f.best.plan.algorithm));
}

void print_row(const Found& f) {
  const ProductKind& k = f.shape.kind;
  fmt::print("    // {:.1f} us, heuristic {:.1f}: {}\n", f.best.us, f.first.us,
             products::description(f.best.plan.algorithm));
  fmt::print("    {{{{{}, {}, {}, {}, {}, {}, {}}},\n     {{", k.rows, k.inner, k.columns, k.a_transposed,
             k.b_transposed, k.fp32, k.adds);
  for (std::size_t i = 0; i < f.best.plan.algorithm.size(); ++i)
    fmt::print("{}{:#x}", i == 0 ? "" : ", ", f.best.plan.algorithm[i]);
  fmt::print("}}}},\n");
}

void print_table(const std::vector<Found>& found, at::Device device) {
  const PinnedProducts here = products::library_here();
  fmt::print(R"(// Written by benchmarks/pin_products on an {}.
// Product shapes: rows, inner, columns, whether a and b are stored transposed, fp32 output, adds.
#include "tensors/linear/product.h"

namespace absorb {{
namespace {{

// clang-format off
constexpr PinnedProduct pinned[] = {{
)",
             device_name(device));
  for (const Found& f : found)
    if (f.best.us < worth * f.first.us) print_row(f);
  fmt::print(R"(}};
// clang-format on

}}  // namespace

const PinnedProducts& pinned_products() {{
  static const PinnedProducts table{{.version = {}, .capability = {}, .multiprocessors = {}, .products = pinned}};
  return table;
}}

}}  // namespace absorb
)",
             here.version, here.capability, here.multiprocessors);
}

int pin(const std::vector<std::string>& studies) {
  const at::Device device = find_device("cuda");
  const StreamScope stream(device);
  std::vector<Found> found;
  for (const ProductShape& shape : shapes_of(studies, device)) {
    found.push_back(search(shape));
    say(found.back());
  }
  print_table(found, device);
  return 0;
}

}  // namespace
}  // namespace absorb

int main(int count, char** arguments) {
  try {
    return absorb::pin({arguments + 1, arguments + count});
  } catch (const std::exception& error) {
    fmt::print(stderr, "pin_products: {}\n", error.what());
    return 2;
  }
}
