// The calls of cuBLASLt that kernels/cuda/gemm.cpp makes, as plain products on host memory in the
// queue of the stream. Unknown settings are refused by name.
#include <cublasLt.h>
#include <oneapi/dnnl/dnnl.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "core/dtype.h"
#include "products.h"
#include "queue.h"
#include "runtime.h"

using lynceus::BFloat16;
using lynceus::standin::counts;
using lynceus::standin::enqueue;
using lynceus::standin::fail;
using lynceus::standin::is_device_memory;
using lynceus::standin::locked;
using lynceus::standin::spend;

struct cublasLtContext {};

namespace {

constexpr int kWays = 6;
lynceus::standin::Products* watched = nullptr;

struct Layout {
  cudaDataType type;
  int64_t rows, cols, ld;
};
struct Description {
  bool transpose_a = false, transpose_b = false, bias = false;
  const void* bias_data = nullptr;
};
/// The alignment in bytes that the caller promises for the operands.
struct Alignment {
  uint32_t a = 256, b = 256, c = 256, d = 256;
};
struct Algorithm {
  Alignment alignment;
  int way;
};

// The opaque structs of the library are arrays of words: these structs are stored in the first
// words.
template <typename T, typename Opaque>
T& inside(Opaque* opaque) {
  static_assert(sizeof(T) <= sizeof(Opaque));
  return *reinterpret_cast<T*>(opaque);
}

std::vector<float> widened(const Layout& layout, const void* data) {
  std::vector<float> values(static_cast<size_t>(layout.ld * layout.cols));
  if (layout.type == CUDA_R_32F)
    std::memcpy(values.data(), data, values.size() * sizeof(float));
  else
    for (size_t i = 0; i < values.size(); ++i)
      values[i] = static_cast<float>(static_cast<const BFloat16*>(data)[i]);
  return values;
}

void multiply(const Description& d, const Layout& a, const void* a_data, const Layout& b,
              const void* b_data, const Layout& c, void* c_data, float beta) {
  const int64_t k = d.transpose_a ? a.rows : a.cols;
  const int64_t inner = d.transpose_b ? b.cols : b.rows;
  if ((d.transpose_a ? a.cols : a.rows) != c.rows || (d.transpose_b ? b.rows : b.cols) != c.cols ||
      k != inner)
    fail("a product of matrices that do not fit");
  const std::vector<float> wide_a = widened(a, a_data), wide_b = widened(b, b_data);
  // With beta 0 c is not read: it may contain NaN.
  std::vector<float> wide_c(static_cast<size_t>(c.ld * c.cols), 0.0f);
  if (beta != 0) wide_c = widened(c, c_data);
  // A column-major product is the row-major product with the factors exchanged.
  dnnl_sgemm(d.transpose_b ? 'T' : 'N', d.transpose_a ? 'T' : 'N', c.cols, c.rows, k, 1.0f,
             wide_b.data(), b.ld, wide_a.data(), a.ld, beta, wide_c.data(), c.ld);
  if (d.bias) {  // one per row of c, in the type of c
    const std::vector<float> bias = widened({c.type, c.rows, 1, c.rows}, d.bias_data);
    for (size_t i = 0; i < wide_c.size(); ++i) wide_c[i] += bias[i % static_cast<size_t>(c.ld)];
  }
  for (size_t i = 0; i < wide_c.size(); ++i) {
    if (c.type == CUDA_R_32F)
      static_cast<float*>(c_data)[i] = wide_c[i];
    else
      static_cast<BFloat16*>(c_data)[i] = BFloat16(wide_c[i]);
  }
}

void check_alignment(const char* name, const void* data, uint32_t promised) {
  if (reinterpret_cast<uintptr_t>(data) % promised != 0)
    fail(std::string("a product's ") + name + " is less aligned than was promised");
}

void note_misaligned(const char* name, const Layout& layout) {
  const int64_t bytes = layout.type == CUDA_R_32F ? 4 : 2;
  if (layout.cols > 1 && layout.ld * bytes % 16 != 0)
    watched->misaligned.push_back(std::string(name) + " " + std::to_string(layout.rows) + " x " +
                                  std::to_string(layout.cols) + " of " + std::to_string(bytes) +
                                  " bytes");
}

}  // namespace

void lynceus::standin::watch_products(Products* products) { watched = products; }

extern "C" {

const char* cublasLtGetStatusString(cublasStatus_t) { return "a status of the stand-in"; }

cublasStatus_t cublasLtCreate(cublasLtHandle_t* handle) {
  *handle = new cublasLtContext;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle) {
  delete handle;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescInit_internal(cublasLtMatmulDesc_t description, size_t,
                                               cublasComputeType_t compute, cudaDataType_t scale) {
  if (compute != CUBLAS_COMPUTE_32F || scale != CUDA_R_32F) fail("a product not summed in f32");
  new (description) Description;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t* description,
                                        cublasComputeType_t compute, cudaDataType_t scale) {
  *description = new cublasLtMatmulDescOpaque_t{};
  return cublasLtMatmulDescInit_internal(*description, 0, compute, scale);
}
cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t description) {
  delete description;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t description,
                                              cublasLtMatmulDescAttributes_t attribute,
                                              const void* value, size_t) {
  const auto operation = [value] {
    cublasOperation_t given;
    std::memcpy(&given, value, sizeof(given));
    return given;
  };
  auto& mine = inside<Description>(description);
  if (attribute == CUBLASLT_MATMUL_DESC_TRANSA)
    mine.transpose_a = operation() == CUBLAS_OP_T;
  else if (attribute == CUBLASLT_MATMUL_DESC_TRANSB)
    mine.transpose_b = operation() == CUBLAS_OP_T;
  else if (attribute == CUBLASLT_MATMUL_DESC_BIAS_POINTER)
    std::memcpy(&mine.bias_data, value, sizeof(mine.bias_data));
  else if (attribute == CUBLASLT_MATMUL_DESC_EPILOGUE &&
           *static_cast<const cublasLtEpilogue_t*>(value) == CUBLASLT_EPILOGUE_BIAS)
    mine.bias = true;
  else
    fail("cublasLtMatmulDescSetAttribute: attribute " + std::to_string(attribute));
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t* layout, cudaDataType type,
                                          uint64_t rows, uint64_t cols, int64_t ld) {
  if (type != CUDA_R_32F && type != CUDA_R_16BF) fail("a matrix of an unknown type");
  *layout = new cublasLtMatrixLayoutOpaque_t{};
  inside<Layout>(*layout) = {type, static_cast<int64_t>(rows), static_cast<int64_t>(cols), ld};
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout) {
  delete layout;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t* preference) {
  *preference = new cublasLtMatmulPreferenceOpaque_t{};
  inside<Alignment>(*preference) = {};
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t preference) {
  delete preference;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t preference,
                                                    cublasLtMatmulPreferenceAttributes_t attribute,
                                                    const void* value, size_t) {
  auto& alignment = inside<Alignment>(preference);
  if (attribute == CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES)
    std::memcpy(&alignment.a, value, sizeof(alignment.a));
  else if (attribute == CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES)
    std::memcpy(&alignment.b, value, sizeof(alignment.b));
  else if (attribute == CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES)
    std::memcpy(&alignment.c, value, sizeof(alignment.c));
  else if (attribute == CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES)
    std::memcpy(&alignment.d, value, sizeof(alignment.d));
  else if (attribute != CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES &&
           attribute != CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK)
    fail("cublasLtMatmulPreferenceSetAttribute: attribute " + std::to_string(attribute));
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t, cublasLtMatmulDesc_t,
                                              cublasLtMatrixLayout_t, cublasLtMatrixLayout_t,
                                              cublasLtMatrixLayout_t, cublasLtMatrixLayout_t,
                                              cublasLtMatmulPreference_t preference, int wanted,
                                              cublasLtMatmulHeuristicResult_t results[],
                                              int* found) {
  *found = std::min(wanted, kWays);
  for (int way = 0; way < *found; ++way) {
    results[way] = {};
    inside<Algorithm>(&results[way].algo) = {inside<Alignment>(preference), way};
  }
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulAlgoCheck(cublasLtHandle_t, cublasLtMatmulDesc_t,
                                       cublasLtMatrixLayout_t, cublasLtMatrixLayout_t,
                                       cublasLtMatrixLayout_t, cublasLtMatrixLayout_t d_layout,
                                       const cublasLtMatmulAlgo_t* algorithm,
                                       cublasLtMatmulHeuristicResult_t* result) {
  const auto& d = inside<Layout>(d_layout);
  *result = {};
  if (watched == nullptr || watched->fits(inside<const Algorithm>(algorithm).way, d.rows, d.cols))
    return CUBLAS_STATUS_SUCCESS;
  return CUBLAS_STATUS_NOT_SUPPORTED;
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t, cublasLtMatmulDesc_t description, const void* alpha,
                              const void* a, cublasLtMatrixLayout_t a_layout, const void* b,
                              cublasLtMatrixLayout_t b_layout, const void* beta, const void* c,
                              cublasLtMatrixLayout_t, void* d, cublasLtMatrixLayout_t d_layout,
                              const cublasLtMatmulAlgo_t* algorithm, void* workspace, size_t,
                              cudaStream_t stream) {
  if (*static_cast<const float*>(alpha) != 1 || c != d) fail("a product of an unknown form");
  for (const void* data : {a, b, c, static_cast<const void*>(workspace)})
    if (!is_device_memory(data)) fail("a product of host memory");
  const auto& [promised, way] = inside<const Algorithm>(algorithm);
  if (watched != nullptr) {
    watched->ways.push_back(way);
    note_misaligned("a", inside<Layout>(a_layout));
    note_misaligned("b", inside<Layout>(b_layout));
    note_misaligned("d", inside<Layout>(d_layout));
  }
  check_alignment("a", a, promised.a);
  check_alignment("b", b, promised.b);
  check_alignment("c", c, promised.c);
  check_alignment("d", d, promised.d);
  // There is no attribute for the alignment of the bias: it is stored with d.
  if (inside<Description>(description).bias)
    check_alignment("bias", inside<Description>(description).bias_data, promised.d);
  const auto lock = locked();
  ++counts().products;
  enqueue(stream, [description = inside<Description>(description), a, b, d,
                   a_layout = inside<Layout>(a_layout), b_layout = inside<Layout>(b_layout),
                   d_layout = inside<Layout>(d_layout), scale = *static_cast<const float*>(beta),
                   milliseconds = watched == nullptr ? 1.0 : watched->milliseconds(way)] {
    spend(milliseconds);
    multiply(description, a_layout, a, b_layout, b, d_layout, d, scale);
  });
  return CUBLAS_STATUS_SUCCESS;
}

}  // extern "C"
