// Linear maps over cuBLASLt. The library is column-major, so a row-major [rows, cols] tensor is its
// [cols, rows] matrix. A product of given shape and alignment is planned once per stream. Only
// reductions of a fixed order are allowed, so the same call gives the same bits with the algorithm
// of the library's heuristic; a search chooses the fastest by time.
#include "kernels/device/gemm.h"

#include <cublasLt.h>

#include <algorithm>
#include <array>
#include <bit>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <tuple>
#include <vector>

#include "core/check.h"
#include "kernels/device/activation.h"
#include "kernels/device/cast.h"
#include "kernels/device/elementwise.h"

namespace lynceus::kernels::cuda {
namespace {

#define LYNCEUS_CUBLAS(call)                                                \
  do {                                                                      \
    const cublasStatus_t lynceus_status = (call);                           \
    LYNCEUS_CHECK(lynceus_status == CUBLAS_STATUS_SUCCESS, "{}: {}", #call, \
                  cublasLtGetStatusString(lynceus_status));                 \
  } while (false)

/// Powers of two that divide the operands' addresses: an operand may begin at any row of a tensor.
struct Alignment {
  uint32_t a, b, c;
  uint32_t bias;  // without a bias, that of c
  auto operator<=>(const Alignment&) const = default;
};

uint32_t alignment_of(const Tensor& tensor) {
  constexpr uintptr_t kMost = 256;  // no algorithm requires more
  const auto address = reinterpret_cast<uintptr_t>(tensor.raw());
  return static_cast<uint32_t>(uintptr_t{1} << std::countr_zero(address | kMost));
}

/// c [m, n] = op(a) · op(b), or `+=`, column-major.
struct Product {
  bool transpose_a, transpose_b;
  int64_t m, n, k;
  DType input, output;
  bool accumulate;
  bool bias = false;  // added to every column of c
  Alignment alignment{};
  auto key() const {
    return std::tie(transpose_a, transpose_b, m, n, k, input, output, accumulate, bias, alignment);
  }
  bool operator<(const Product& other) const { return key() < other.key(); }

  /// The class of shapes that one search covers: packed batches have many different numbers of
  /// rows.
  Product shape_class() const {
    constexpr int64_t kRows = 128;
    Product rounded = *this;
    int64_t& rows = transpose_b ? rounded.k : rounded.n;  // the gradient of a weight sums over them
    rows = (rows + kRows - 1) / kRows * kRows;
    return rounded;
  }
};

struct Operands {
  const void *a, *b;
  void* c;
  const void* bias;  // null: none
};

cudaDataType type_of(DType dtype) { return dtype == DType::kF32 ? CUDA_R_32F : CUDA_R_16BF; }

struct Plan {
  cublasLtMatmulDesc_t product = nullptr;
  cublasLtMatrixLayout_t a = nullptr, b = nullptr, c = nullptr;
  std::optional<cublasLtMatmulAlgo_t> algorithm;

  Plan() = default;
  Plan(const Plan&) = delete;
  Plan& operator=(const Plan&) = delete;
  ~Plan() {
    for (cublasLtMatrixLayout_t layout : {a, b, c})
      if (layout != nullptr) cublasLtMatrixLayoutDestroy(layout);
    if (product != nullptr) cublasLtMatmulDescDestroy(product);
  }
};

/// A stream's handle, workspace and plans.
class Library {
 public:
  static constexpr size_t kWorkspaceBytes = size_t{32} << 20;

  explicit Library(accelerator::Queue queue) : queue_(std::move(queue)) {
    LYNCEUS_CUBLAS(cublasLtCreate(&handle_));
    workspace_ = accelerator::allocate(queue_, kWorkspaceBytes);
    if (workspace_ == nullptr)
      throw Error(ExitCode::kIo,
                  fmt::format("out of memory: {} bytes for matrix products", kWorkspaceBytes));
  }
  ~Library() {
    plans_.clear();
    accelerator::release(queue_, workspace_);
    cublasLtDestroy(handle_);
  }
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;

  bool searches() {
    std::lock_guard lock(mutex_);
    return search_;
  }
  void search(bool on) {
    std::lock_guard lock(mutex_);
    if (search_ != on) plans_.clear();
    search_ = on;
  }

  void run(const Stream& stream, const Product& product, const Operands& operands) {
    std::lock_guard lock(mutex_);
    Plan& plan = plan_of(product);
    if (product.bias)
      LYNCEUS_CUBLAS(cublasLtMatmulDescSetAttribute(plan.product, CUBLASLT_MATMUL_DESC_BIAS_POINTER,
                                                    &operands.bias, sizeof(operands.bias)));
    if (!plan.algorithm) plan.algorithm = choose(stream, product, plan, operands);
    enqueue(product, plan, *plan.algorithm, operands);
  }

 private:
  static void set(cublasLtMatmulDesc_t product, cublasLtMatmulDescAttributes_t attribute,
                  bool transposed) {
    const cublasOperation_t operation = transposed ? CUBLAS_OP_T : CUBLAS_OP_N;
    LYNCEUS_CUBLAS(
        cublasLtMatmulDescSetAttribute(product, attribute, &operation, sizeof(operation)));
  }

  static cublasLtMatrixLayout_t layout(DType dtype, int64_t rows, int64_t cols) {
    cublasLtMatrixLayout_t made = nullptr;
    LYNCEUS_CUBLAS(cublasLtMatrixLayoutCreate(&made, type_of(dtype), static_cast<uint64_t>(rows),
                                              static_cast<uint64_t>(cols), rows));
    return made;
  }

  Plan& plan_of(const Product& p) {
    auto& plan = plans_[p];
    if (plan != nullptr) return *plan;
    auto made = std::make_unique<Plan>();
    LYNCEUS_CUBLAS(cublasLtMatmulDescCreate(&made->product, CUBLAS_COMPUTE_32F, CUDA_R_32F));
    set(made->product, CUBLASLT_MATMUL_DESC_TRANSA, p.transpose_a);
    set(made->product, CUBLASLT_MATMUL_DESC_TRANSB, p.transpose_b);
    if (p.bias) {
      const cublasLtEpilogue_t epilogue = CUBLASLT_EPILOGUE_BIAS;
      LYNCEUS_CUBLAS(cublasLtMatmulDescSetAttribute(made->product, CUBLASLT_MATMUL_DESC_EPILOGUE,
                                                    &epilogue, sizeof(epilogue)));
    }
    made->a = p.transpose_a ? layout(p.input, p.k, p.m) : layout(p.input, p.m, p.k);
    made->b = p.transpose_b ? layout(p.input, p.n, p.k) : layout(p.input, p.k, p.n);
    made->c = layout(p.output, p.m, p.n);
    plan = std::move(made);
    return *plan;
  }

  void enqueue(const Product& product, const Plan& plan, const cublasLtMatmulAlgo_t& algorithm,
               const Operands& operands) {
    const float one = 1, beta = product.accumulate ? 1 : 0;
    LYNCEUS_CUBLAS(cublasLtMatmul(handle_, plan.product, &one, operands.a, plan.a, operands.b,
                                  plan.b, &beta, operands.c, plan.c, operands.c, plan.c, &algorithm,
                                  workspace_, kWorkspaceBytes,
                                  static_cast<cudaStream_t>(queue_.get())));
  }

  cublasLtMatmulAlgo_t choose(const Stream& stream, const Product& product, const Plan& plan,
                              const Operands& operands) {
    const std::vector<cublasLtMatmulAlgo_t> candidates = candidates_of(product, plan);
    if (!search_) return candidates.front();
    const Product shape_class = product.shape_class();
    const auto known = fastest_.find(shape_class);
    if (known != fastest_.end())
      return fits(plan, known->second) ? known->second : candidates.front();
    const cublasLtMatmulAlgo_t fastest = fastest_of(stream, candidates, product, plan, operands);
    fastest_[shape_class] = fastest;
    return fastest;
  }

  /// Whether an algorithm found for other rows of the same class works for these.
  bool fits(const Plan& plan, const cublasLtMatmulAlgo_t& algorithm) {
    cublasLtMatmulHeuristicResult_t result{};
    return cublasLtMatmulAlgoCheck(handle_, plan.product, plan.a, plan.b, plan.c, plan.c,
                                   &algorithm, &result) == CUBLAS_STATUS_SUCCESS &&
           result.workspaceSize <= kWorkspaceBytes;
  }

  cublasLtMatmulAlgo_t fastest_of(const Stream& stream,
                                  const std::vector<cublasLtMatmulAlgo_t>& candidates,
                                  const Product& product, const Plan& plan, Operands operands) {
    // An accumulating product must run once on c: trials write to another buffer.
    const size_t bytes = static_cast<size_t>(product.m * product.n) * size_of(product.output);
    const std::unique_ptr<void, std::function<void(void*)>> scratch(
        accelerator::allocate(queue_, bytes),
        [this](void* data) { accelerator::release(queue_, data); });
    if (scratch == nullptr) return candidates.front();
    operands.c = scratch.get();
    constexpr size_t kRuns = 5;
    std::vector<accelerator::Event> moments;
    for (const cublasLtMatmulAlgo_t& candidate : candidates) {
      enqueue(product, plan, candidate, operands);  // the first run loads the code
      moments.push_back(accelerator::record_time(queue_));
      for (size_t run = 0; run < kRuns; ++run) {
        enqueue(product, plan, candidate, operands);
        moments.push_back(accelerator::record_time(queue_));
      }
    }
    stream.synchronize();
    std::vector<double> medians;
    for (auto moment = moments.begin(); moment != moments.end(); moment += kRuns + 1) {
      std::array<double, kRuns> times;
      for (size_t run = 0; run < kRuns; ++run)
        times[run] = accelerator::milliseconds_between(moment[run], moment[run + 1]);
      std::nth_element(times.begin(), times.begin() + kRuns / 2, times.end());
      medians.push_back(times[kRuns / 2]);
    }
    return candidates[static_cast<size_t>(std::min_element(medians.begin(), medians.end()) -
                                          medians.begin())];
  }

  /// Algorithms, in the order of the library's estimate of their speed.
  std::vector<cublasLtMatmulAlgo_t> candidates_of(const Product& p, const Plan& plan) {
    cublasLtMatmulPreference_t preference = nullptr;
    LYNCEUS_CUBLAS(cublasLtMatmulPreferenceCreate(&preference));
    const std::unique_ptr<std::remove_pointer_t<cublasLtMatmulPreference_t>,
                          cublasStatus_t (*)(cublasLtMatmulPreference_t)>
        owner(preference, cublasLtMatmulPreferenceDestroy);
    const auto prefer = [&](cublasLtMatmulPreferenceAttributes_t attribute, auto value) {
      LYNCEUS_CUBLAS(
          cublasLtMatmulPreferenceSetAttribute(preference, attribute, &value, sizeof(value)));
    };
    prefer(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, kWorkspaceBytes);
    prefer(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK,
           uint32_t{CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE});
    prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, p.alignment.a);
    prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, p.alignment.b);
    prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, p.alignment.c);
    // The bias has no alignment attribute of its own; it is read where d is written, with the same
    // width.
    prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, std::min(p.alignment.c, p.alignment.bias));
    std::array<cublasLtMatmulHeuristicResult_t, 8> results{};
    int found = 0;
    LYNCEUS_CUBLAS(cublasLtMatmulAlgoGetHeuristic(handle_, plan.product, plan.a, plan.b, plan.c,
                                                  plan.c, preference, results.size(),
                                                  results.data(), &found));
    std::vector<cublasLtMatmulAlgo_t> candidates;
    for (int i = 0; i < found; ++i)
      if (results[i].state == CUBLAS_STATUS_SUCCESS) candidates.push_back(results[i].algo);
    LYNCEUS_CHECK(!candidates.empty(), "cuBLASLt has no algorithm for {} x {} x {} in {}", p.m, p.n,
                  p.k, name_of(p.input));
    return candidates;
  }

  accelerator::Queue queue_;
  cublasLtHandle_t handle_ = nullptr;
  void* workspace_ = nullptr;
  std::mutex mutex_;
  std::map<Product, std::unique_ptr<Plan>> plans_;
  bool search_ = false;
  std::map<Product, cublasLtMatmulAlgo_t> fastest_;  // by shape class
};

void multiply(const Stream& stream, Product product, const Tensor& a, const Tensor& b,
              const Tensor& c, const Tensor* bias = nullptr) {
  LYNCEUS_CHECK(product.m > 0 && product.n > 0 && product.k > 0, "a product of {} x {} x {}",
                product.m, product.n, product.k);
  product.bias = bias != nullptr;
  product.alignment = {alignment_of(a), alignment_of(b), alignment_of(c),
                       alignment_of(bias != nullptr ? *bias : c)};
  stream.pool()->library<Library>().run(
      stream, product, {a.raw(), b.raw(), c.raw(), bias != nullptr ? bias->raw() : nullptr});
}

/// The library does not compute empty sums.
void fill_zero(const Stream& stream, const Tensor& result) {
  accelerator::fill_zero(stream.pool()->queue(), result.raw(), result.bytes());
}

/// y = x·wᵀ + bias
void affine(const Stream& stream, const Tensor& x, const Tensor& w, const Tensor* bias,
            const Tensor& y) {
  if (w.cols() == 0) {
    fill_zero(stream, y);
    if (bias != nullptr) kElementwise.add_bias(stream, *bias, y);
    return;
  }
  Tensor rounded;  // the library requires a bias of the result's type
  if (bias != nullptr && y.dtype() != bias->dtype()) {
    rounded = Tensor::empty(stream, bias->shape(), y.dtype());
    kCast.cast(stream, *bias, rounded);
    bias = &rounded;
  }
  multiply(stream, {true, false, w.rows(), y.rows(), w.cols(), x.dtype(), y.dtype(), false}, w, x,
           y, bias);
}

void linear_forward(const Stream& stream, const Tensor& x, const Tensor& w, const Tensor* bias,
                    const Tensor& y, Activation activation) {
  if (y.size() == 0) return;
  affine(stream, x, w, bias, y);
  if (activation == Activation::kGelu) kActivation.gelu_forward(stream, y, y);
}

void linear_backward_input(const Stream& stream, const Tensor& dy, const Tensor& w,
                           const Tensor& dx, bool accumulate) {
  if (dx.size() == 0) return;
  if (w.rows() == 0) {
    if (!accumulate) fill_zero(stream, dx);
    return;
  }
  multiply(stream,
           {false, false, w.cols(), dx.rows(), w.rows(), dy.dtype(), dx.dtype(), accumulate}, w, dy,
           dx);
}

void linear_backward_weight(const Stream& stream, const Tensor& dy, const Tensor& x,
                            const Tensor& dw) {
  if (dw.size() == 0 || dy.rows() == 0) return;
  multiply(stream, {false, true, x.cols(), dy.cols(), dy.rows(), x.dtype(), dw.dtype(), true}, x,
           dy, dw);
}

void search_products(const Stream& stream, bool search) {
  stream.pool()->library<Library>().search(search);
}

bool searches_products(const Stream& stream) {
  return stream.pool()->library<Library>().searches();
}

}  // namespace

const GemmKernels kGemm = {.linear_forward = linear_forward,
                           .linear_backward_input = linear_backward_input,
                           .linear_backward_weight = linear_backward_weight,
                           .search_products = search_products,
                           .searches_products = searches_products};

}  // namespace lynceus::kernels::cuda
