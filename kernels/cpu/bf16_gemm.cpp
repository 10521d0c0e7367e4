// oneDNN's matmul primitives in bf16 and the cache of them.
#include "kernels/cpu/bf16_gemm.h"

#include <omp.h>

#include <compare>
#include <map>
#include <mutex>
#include <oneapi/dnnl/dnnl.hpp>
#include <unordered_map>
#include <utility>

#include "core/check.h"
#include "core/process/out_of_memory.h"
#include "kernels/cpu/instruction_set.h"
#include "kernels/cpu/onednn_memory.h"

namespace lynceus::kernels::cpu {

struct Bf16Weight {
  dnnl::memory::desc order;
  Tensor bytes;
  int64_t out, in;
};

namespace {

using dnnl::memory;
using Order = memory::format_tag;
constexpr auto kBf16 = memory::data_type::bf16;
constexpr auto kFloat = memory::data_type::f32;

/// The parameters that a primitive is compiled for.
struct Key {
  int64_t m = 0, n = 0, k = 0;
  bool a_transposed = false, b_transposed = false, b_packed = false;
  bool accumulate = false, gelu = false, bias = false, rounded = false;
  int threads = 0;
  auto operator<=>(const Key&) const = default;
};

struct Plan {
  dnnl::matmul primitive;
  memory::desc a, b, bias, c, scratchpad;
};

memory::desc matrix(int64_t rows, int64_t cols, bool transposed, memory::data_type type = kBf16) {
  return {{rows, cols}, type, transposed ? Order::ba : Order::ab};
}

/// Undefined if the library has none.
dnnl::matmul::primitive_desc describe(const dnnl::engine& engine, const Key& key,
                                      const memory::desc& b) {
  dnnl::post_ops after;
  if (key.accumulate) after.append_sum(1.0f);
  if (key.gelu) after.append_eltwise(1.0f, dnnl::algorithm::eltwise_gelu_erf, 0.0f, 0.0f);
  dnnl::primitive_attr attributes;
  attributes.set_post_ops(after);
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);  // allocated from the stream's pool
  const memory::desc a = matrix(key.m, key.k, key.a_transposed);
  const memory::desc c = matrix(key.m, key.n, false, key.rounded ? kBf16 : kFloat);
  const memory::desc bias = matrix(1, key.n, false, kFloat);
  const dnnl::matmul::desc operation =
      key.bias ? dnnl::matmul::desc(a, b, bias, c) : dnnl::matmul::desc(a, b, c);
  constexpr bool kAllowEmpty = true;
  return {operation, attributes, engine, kAllowEmpty};
}

class Library {
 public:
  explicit Library(const accelerator::Queue&)
      : engine_(dnnl::engine::kind::cpu, 0), stream_(engine_) {}

  /// Null if the library has no such product. `packed`: the order of b; null: row-major.
  std::shared_ptr<const Plan> plan(const Key& key, const memory::desc* packed) {
    std::lock_guard lock(mutex_);
    const auto known = plans_.find(key);
    if (known != plans_.end()) return known->second;
    expect_memory_for_code();
    if (plans_.size() >= kMostPlans) plans_.clear();
    const memory::desc b = packed ? *packed : matrix(key.k, key.n, key.b_transposed);
    const auto description = describe(engine_, key, b);
    std::shared_ptr<const Plan>& plan = plans_[key];
    if (description)
      plan = std::make_shared<const Plan>(
          Plan{dnnl::matmul(description), description.src_desc(), description.weights_desc(),
               description.bias_desc(), description.dst_desc(), description.scratchpad_desc()});
    return plan;
  }

  /// The order of a weight [out, in] that the library prefers.
  memory::desc order(int64_t out, int64_t in) {
    std::lock_guard lock(mutex_);
    const auto [known, is_new] = orders_.try_emplace({out, in});
    if (!is_new) return known->second;
    const Key key{.m = kTypicalRows, .n = out, .k = in, .rounded = true};
    const auto description = describe(engine_, key, {{in, out}, kBf16, Order::any});
    known->second = description ? description.weights_desc() : matrix(in, out, true);
    return known->second;
  }

  void reorder(const memory::desc& from, void* source, const memory::desc& to, void* target) {
    expect_memory_for_code();
    memory read(from, engine_, source), written(to, engine_, target);
    dnnl::reorder(read, written).execute(stream_, read, written);
    stream_.wait();
  }

  void run(const Plan& plan, const Tensor& a, void* b, const Tensor* bias, const Tensor& c,
           const Tensor& scratchpad) {
    std::unordered_map<int, memory> arguments = {
        {DNNL_ARG_SRC, memory(plan.a, engine_, a.raw())},
        {DNNL_ARG_WEIGHTS, memory(plan.b, engine_, b)},
        {DNNL_ARG_DST, memory(plan.c, engine_, c.raw())},
        {DNNL_ARG_SCRATCHPAD, memory(plan.scratchpad, engine_, scratchpad.raw())}};
    if (bias != nullptr) arguments.insert({DNNL_ARG_BIAS, memory(plan.bias, engine_, bias->raw())});
    plan.primitive.execute(stream_, arguments);
    stream_.wait();
  }

  size_t kept() {
    std::lock_guard lock(mutex_);
    return plans_.size();
  }

 private:
  // Micro-batches have many different numbers of rows: without a limit the compiled code would grow
  // during the whole run.
  static constexpr size_t kMostPlans = 2048;
  // The order must not depend on the number of rows; typical numbers are hundreds to thousands.
  static constexpr int64_t kTypicalRows = 1024;

  dnnl::engine engine_;
  dnnl::stream stream_;
  std::mutex mutex_;
  std::map<Key, std::shared_ptr<const Plan>> plans_;
  std::map<std::pair<int64_t, int64_t>, memory::desc> orders_;
};

/// Calls the library; an error names the product.
template <typename Call>
auto named(int64_t m, int64_t n, int64_t k, const Call& call) {
  try {
    return call();
  } catch (const dnnl::error& error) {
    if (error.status == dnnl_out_of_memory) throw Error(ExitCode::kIo, kOutOfMemory);
    throw InternalError("dnnl in bf16, {} x {} x {}: {} (status {})", m, n, k, error.message,
                        static_cast<int>(error.status));
  }
}

bool multiply(const Stream& stream, const Bf16Gemm& p, const Tensor& a, void* b,
              const memory::desc* packed, const Tensor* bias, const Tensor& c) {
  LYNCEUS_CHECK(p.k > 0 && a.size() == p.m * p.k && c.size() == p.m * p.n,
                "a bf16 product of {} x {} x {} in tensors of {} and {} elements", p.m, p.n, p.k,
                a.size(), c.size());
  if (p.m == 0 || p.n == 0) return true;
  const Key key{.m = p.m,
                .n = p.n,
                .k = p.k,
                .a_transposed = p.a_transposed,
                .b_transposed = p.b_transposed,
                .b_packed = packed != nullptr,
                .accumulate = p.accumulate,
                .gelu = p.gelu,
                .bias = bias != nullptr,
                .rounded = c.dtype() == DType::kBf16,
                .threads = omp_get_max_threads()};
  auto& library = stream.pool()->library<Library>();
  return named(p.m, p.n, p.k, [&] {
    const std::shared_ptr<const Plan> plan = library.plan(key, packed);
    if (plan == nullptr) return false;
    const auto bytes = static_cast<int64_t>(plan->scratchpad.get_size());
    library.run(*plan, a, b, bias, c, Tensor::empty(stream, {bytes}, DType::kU8));
    return true;
  });
}

}  // namespace

bool has_bf16_products() {
  static const bool found = [] {
    if (asked_for_avx2()) return false;
    // The values are instruction sets; later ones include earlier ones.
    constexpr auto kWanted = static_cast<unsigned>(dnnl::cpu_isa::avx512_core_bf16);
    return (static_cast<unsigned>(dnnl::get_effective_cpu_isa()) & kWanted) == kWanted;
  }();
  return found;
}

// Estimated, not measured: compiling a primitive costs about 0.5 ms (as in f32, see
// weight_gradient.cpp), and a step has as many shapes as its micro-batches have numbers of rows.
// From this size on, about ten steps of widening and multiplying in f32 cost as much.
bool pays_in_bf16(int64_t m, int64_t n, int64_t k) {
  constexpr int64_t kWork = int64_t{1} << 22;
  return has_bf16_products() && m * n * k >= kWork;
}

bool bf16_gemm(const Stream& stream, const Bf16Gemm& problem, const Tensor& a, const Tensor& b,
               const Tensor* bias, const Tensor& c) {
  LYNCEUS_CHECK(b.size() == problem.k * problem.n, "b of {} elements, expected {} x {}", b.size(),
                problem.k, problem.n);
  return multiply(stream, problem, a, b.raw(), nullptr, bias, c);
}

bool bf16_gemm(const Stream& stream, const Bf16Gemm& problem, const Tensor& a, const Bf16Weight& b,
               const Tensor* bias, const Tensor& c) {
  LYNCEUS_CHECK(problem.b_transposed && problem.n == b.out && problem.k == b.in,
                "a packed weight of {} x {} in a product of {} x {}", b.out, b.in, problem.n,
                problem.k);
  return multiply(stream, problem, a, b.bytes.raw(), &b.order, bias, c);
}

std::shared_ptr<const Bf16Weight> pack_bf16(const Stream& stream, const Tensor& w) {
  const int64_t out = w.dim(0), in = w.cols();
  auto& library = stream.pool()->library<Library>();
  return named(0, out, in, [&]() -> std::shared_ptr<const Bf16Weight> {
    const memory::desc order = library.order(out, in), plain = matrix(in, out, true);
    if (order == plain) return nullptr;
    const auto bytes = static_cast<int64_t>(order.get_size());
    const Tensor target = Tensor::empty(stream, {bytes}, DType::kU8, MemoryOwner::kFrozenWeight);
    library.reorder(plain, w.raw(), order, target.raw());
    return std::make_shared<const Bf16Weight>(Bf16Weight{order, target, out, in});
  });
}

Tensor unpack_bf16(const Stream& stream, const Bf16Weight& weight) {
  const Tensor w = Tensor::empty(stream, {weight.out, weight.in}, DType::kBf16);
  auto& library = stream.pool()->library<Library>();
  named(0, weight.out, weight.in, [&] {
    library.reorder(weight.order, weight.bytes.raw(), matrix(weight.in, weight.out, true), w.raw());
  });
  return w;
}

size_t bytes_of(const Bf16Weight& weight) { return weight.bytes.bytes(); }

size_t kept_bf16_products(const Stream& stream) { return stream.pool()->library<Library>().kept(); }

}  // namespace lynceus::kernels::cpu
