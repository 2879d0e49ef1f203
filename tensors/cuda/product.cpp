// Descriptors and plans are kept for the whole process: autograd's threads, which run backward passes, share them with
// the threads that run forward ones.
#include "tensors/linear/product.h"

#include <torch/types.h>

#include <ATen/cuda/CUDAContextLight.h>

#include <cublasLt.h>

#include <bit>
#include <map>
#include <mutex>

#include "core/device.h"
#include "core/error.h"
#include "tensors/cuda/product_plan.h"

namespace absorb {
namespace products {
namespace {

void succeed(cublasStatus_t status, const char* what) {
  check(status == CUBLAS_STATUS_SUCCESS, "[product] {}: {}", what, cublasLtGetStatusString(status));
}

// Tells nothing to anyone else, and is safe to share between threads; LibTorch's own would bring 32 MB of workspace for
// each thread and stream.
cublasLtHandle_t handle() {
  static const cublasLtHandle_t made = [] {
    cublasLtHandle_t handle = nullptr;
    succeed(cublasLtCreate(&handle), "creating a handle");
    return handle;
  }();
  return made;
}

cublasLtMatrixLayout_t layout(cudaDataType type, int64_t rows, int64_t columns, int64_t stride) {
  cublasLtMatrixLayout_t made = nullptr;
  succeed(cublasLtMatrixLayoutCreate(&made, type, static_cast<uint64_t>(rows), static_cast<uint64_t>(columns), stride),
          "describing a matrix");
  return made;
}

// cuBLASLt stores by columns: it is told out^T = b^T a^T, and what is stored by rows is its transpose already.
struct Descriptors {
  explicit Descriptors(const ProductShape& shape) {
    const ProductKind& k = shape.kind;
    succeed(cublasLtMatmulDescCreate(&product, CUBLAS_COMPUTE_32F, CUDA_R_32F), "describing a product");
    const cublasOperation_t left = k.b_transposed ? CUBLAS_OP_T : CUBLAS_OP_N;
    const cublasOperation_t right = k.a_transposed ? CUBLAS_OP_T : CUBLAS_OP_N;
    succeed(cublasLtMatmulDescSetAttribute(product, CUBLASLT_MATMUL_DESC_TRANSA, &left, sizeof left),
            "describing its left side");
    succeed(cublasLtMatmulDescSetAttribute(product, CUBLASLT_MATMUL_DESC_TRANSB, &right, sizeof right),
            "describing its right side");
    b = k.b_transposed ? layout(CUDA_R_16BF, k.inner, k.columns, shape.b_stride)
                       : layout(CUDA_R_16BF, k.columns, k.inner, shape.b_stride);
    a = k.a_transposed ? layout(CUDA_R_16BF, k.rows, k.inner, shape.a_stride)
                       : layout(CUDA_R_16BF, k.inner, k.rows, shape.a_stride);
    out = layout(k.fp32 ? CUDA_R_32F : CUDA_R_16BF, k.columns, k.rows, shape.out_stride);
  }
  ~Descriptors() {
    cublasLtMatmulDescDestroy(product);
    for (const cublasLtMatrixLayout_t layout : {a, b, out}) cublasLtMatrixLayoutDestroy(layout);
  }
  Descriptors(const Descriptors&) = delete;
  Descriptors& operator=(const Descriptors&) = delete;

  cublasLtMatmulDesc_t product = nullptr;
  cublasLtMatrixLayout_t a = nullptr, b = nullptr, out = nullptr;
};

cublasLtMatmulAlgo_t algorithm_of(const ProductAlgorithm& words) {
  return std::bit_cast<cublasLtMatmulAlgo_t>(words);
}

// Nothing where the algorithm can't run this shape here.
std::vector<Plan> checked(const Descriptors& d, const ProductAlgorithm& words) {
  const cublasLtMatmulAlgo_t algorithm = algorithm_of(words);
  cublasLtMatmulHeuristicResult_t result;
  const cublasStatus_t status =
      cublasLtMatmulAlgoCheck(handle(), d.product, d.b, d.a, d.out, d.out, &algorithm, &result);
  if (status != CUBLAS_STATUS_SUCCESS || result.state != CUBLAS_STATUS_SUCCESS) return {};
  if (result.workspaceSize > most_workspace) return {};
  return {{words, result.workspaceSize, false}};
}

std::vector<Plan> heuristic(const Descriptors& d, const ProductShape& shape, int most) {
  cublasLtMatmulPreference_t preference = nullptr;
  succeed(cublasLtMatmulPreferenceCreate(&preference), "describing a preference");
  const auto set = [&](cublasLtMatmulPreferenceAttributes_t name, auto value) {
    succeed(cublasLtMatmulPreferenceSetAttribute(preference, name, &value, sizeof value), "setting a preference");
  };
  set(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, most_workspace);
  // Parts of a sum are added up in fp32 and by a kernel of their own: not in the output in whatever order they come.
  set(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, uint32_t{CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE});
  const auto alignment = static_cast<uint32_t>(shape.alignment);
  for (const auto name : {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
                          CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES})
    set(name, alignment);
  std::vector<cublasLtMatmulHeuristicResult_t> results(static_cast<std::size_t>(most));
  int found = 0;
  const cublasStatus_t status = cublasLtMatmulAlgoGetHeuristic(handle(), d.product, d.b, d.a, d.out, d.out, preference,
                                                               most, results.data(), &found);
  cublasLtMatmulPreferenceDestroy(preference);
  succeed(status, "asking for an algorithm");
  std::vector<Plan> plans;
  for (int i = 0; i < found; ++i) {
    const auto& result = results[static_cast<std::size_t>(i)];
    if (result.state == CUBLAS_STATUS_SUCCESS)
      plans.push_back({std::bit_cast<ProductAlgorithm>(result.algo), result.workspaceSize, false});
  }
  return plans;
}

// Whether the table was made with this library on this kind of card.
bool table_holds() {
  static const bool holds = [] {
    const PinnedProducts &table = pinned_products(), here = library_here();
    return table.version == here.version && table.capability == here.capability &&
           table.multiprocessors == here.multiprocessors;
  }();
  return holds;
}

Plan choose(const Descriptors& d, const ProductShape& shape) {
  // Pinned algorithms move 16 bytes at a time.
  const PinnedProduct* pinned = shape.alignment == 16 && table_holds() ? pinned_products().find(shape.kind) : nullptr;
  if (pinned)
    for (Plan plan : checked(d, pinned->algorithm)) {
      plan.pinned = true;
      return plan;
    }
  const std::vector<Plan> plans = heuristic(d, shape, 1);
  check(!plans.empty(), "[product] cuBLASLt has no algorithm for {} x {} x {}", shape.kind.rows, shape.kind.inner,
        shape.kind.columns);
  return plans.front();
}

struct Planned {
  explicit Planned(const ProductShape& shape) : descriptors(shape), plan(choose(descriptors, shape)) {}
  Descriptors descriptors;
  Plan plan;
};

struct Cache {
  std::mutex mutex;
  std::map<ProductShape, Planned> plans;
};
// Never destroyed: threads may still run when a process ends.
Cache& cache() {
  static Cache& made = *new Cache;
  return made;
}

// Elements of a map stay where they are.
const Planned& planned(const ProductShape& shape) {
  const std::lock_guard lock(cache().mutex);
  return cache().plans.try_emplace(shape, shape).first->second;
}

void launch(const Descriptors& d, const Plan& plan, const Tensor& out, const Tensor& a, const Tensor& b, bool adds) {
  const cublasLtMatmulAlgo_t algorithm = algorithm_of(plan.algorithm);
  // LibTorch's allocator hands it to nobody else before this stream (or this graph) is through with it.
  const Tensor workspace = plan.workspace == 0
                               ? Tensor()
                               : at::empty({static_cast<int64_t>(plan.workspace)}, out.options().dtype(at::kByte));
  const float one = 1, beta = adds ? 1 : 0;
  succeed(cublasLtMatmul(handle(), d.product, &one, b.const_data_ptr(), d.b, a.const_data_ptr(), d.a, &beta,
                         out.const_data_ptr(), d.out, out.data_ptr(), d.out, &algorithm,
                         workspace.defined() ? workspace.data_ptr() : nullptr, plan.workspace,
                         static_cast<cudaStream_t>(current_cuda_stream(out.device()))),
          "a product");
}

}  // namespace

Plan plan_of(const ProductShape& shape) {
  return planned(shape).plan;
}

std::vector<ProductShape> planned_shapes() {
  const std::lock_guard lock(cache().mutex);
  std::vector<ProductShape> shapes;
  for (const auto& [shape, made] : cache().plans) shapes.push_back(shape);
  return shapes;
}

std::vector<Plan> heuristic_plans(const ProductShape& shape, int most) {
  return heuristic(Descriptors(shape), shape, most);
}

PinnedProducts library_here() {
  const cudaDeviceProp* card = at::cuda::getCurrentDeviceProperties();
  return {cublasLtGetVersion(), 10 * card->major + card->minor, card->multiProcessorCount, {}};
}

void run(const ProductShape& shape, const Plan& plan, const Tensor& out, const Tensor& a, const Tensor& b) {
  launch(planned(shape).descriptors, plan, out, a, b, shape.kind.adds);
}

namespace {

template <class T>
T attribute(const cublasLtMatmulAlgo_t& algorithm, cublasLtMatmulAlgoConfigAttributes_t name) {
  T value{};
  std::size_t written = 0;
  succeed(cublasLtMatmulAlgoConfigGetAttribute(&algorithm, name, &value, sizeof value, &written),
          "reading an algorithm");
  return value;
}

}  // namespace

std::string description(const ProductAlgorithm& words) {
  const cublasLtMatmulAlgo_t a = algorithm_of(words);
  return fmt::format(
      "id {} tile {} stages {} split {} reduction {} swizzle {} option {} inner {} cluster {}",
      attribute<int32_t>(a, CUBLASLT_ALGO_CONFIG_ID), attribute<uint32_t>(a, CUBLASLT_ALGO_CONFIG_TILE_ID),
      attribute<uint32_t>(a, CUBLASLT_ALGO_CONFIG_STAGES_ID), attribute<int32_t>(a, CUBLASLT_ALGO_CONFIG_SPLITK_NUM),
      attribute<uint32_t>(a, CUBLASLT_ALGO_CONFIG_REDUCTION_SCHEME),
      attribute<uint32_t>(a, CUBLASLT_ALGO_CONFIG_CTA_SWIZZLING),
      attribute<uint32_t>(a, CUBLASLT_ALGO_CONFIG_CUSTOM_OPTION),
      attribute<uint16_t>(a, CUBLASLT_ALGO_CONFIG_INNER_SHAPE_ID),
      attribute<uint16_t>(a, CUBLASLT_ALGO_CONFIG_CLUSTER_SHAPE_ID));
}

std::vector<Plan> neighbours(const ProductShape& shape, const Plan& plan) {
  const Descriptors& d = planned(shape).descriptors;
  std::vector<Plan> found;
  const auto vary = [&](cublasLtMatmulAlgoConfigAttributes_t name, auto value) {
    cublasLtMatmulAlgo_t a = algorithm_of(plan.algorithm);
    if (cublasLtMatmulAlgoConfigSetAttribute(&a, name, &value, sizeof value) != CUBLAS_STATUS_SUCCESS) return;
    const uint32_t reduction = attribute<int32_t>(a, CUBLASLT_ALGO_CONFIG_SPLITK_NUM) > 1
                                   ? CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE
                                   : CUBLASLT_REDUCTION_SCHEME_NONE;
    if (cublasLtMatmulAlgoConfigSetAttribute(&a, CUBLASLT_ALGO_CONFIG_REDUCTION_SCHEME, &reduction, sizeof reduction) !=
        CUBLAS_STATUS_SUCCESS)
      return;
    const auto words = std::bit_cast<ProductAlgorithm>(a);
    if (words == plan.algorithm) return;
    for (const Plan& good : checked(d, words)) found.push_back(good);
  };
  for (const int32_t parts : {1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 24, 32}) vary(CUBLASLT_ALGO_CONFIG_SPLITK_NUM, parts);
  for (uint32_t swizzle = 0; swizzle < 4; ++swizzle) vary(CUBLASLT_ALGO_CONFIG_CTA_SWIZZLING, swizzle);
  for (uint16_t cluster = 0; cluster < CUBLASLT_CLUSTER_SHAPE_END; ++cluster)
    vary(CUBLASLT_ALGO_CONFIG_CLUSTER_SHAPE_ID, cluster);
  for (uint32_t tile = 0; tile < CUBLASLT_MATMUL_TILE_END; ++tile) vary(CUBLASLT_ALGO_CONFIG_TILE_ID, tile);
  for (uint32_t option = 0; option < 8; ++option) vary(CUBLASLT_ALGO_CONFIG_CUSTOM_OPTION, option);
  return found;
}

}  // namespace products

bool is_pinned(const ProductShape& shape) {
  return products::plan_of(shape).pinned;
}

void multiply_into(const Tensor& out, const Tensor& a, const Tensor& b, bool adds) {
  const ProductShape shape = product_shape(a, b, out, adds);
  if (out.numel() == 0) return;
  const products::Planned& made = products::planned(shape);
  products::launch(made.descriptors, made.plan, out, a, b, adds);
}

}  // namespace absorb
