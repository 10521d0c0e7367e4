// dw += dyᵀ·x is the only product whose left operand is read across its rows. If the stride of dy's
// rows is a multiple of 2 KiB, sgemm's copy of its columns uses few cache sets (130 instead of
// 170 GFLOP/s per core); the matmul primitive copies in another order and avoids that.
#include "kernels/cpu/weight_gradient.h"

#include <oneapi/dnnl/dnnl.hpp>

#include "core/error.h"
#include "core/process/out_of_memory.h"
#include "kernels/cpu/gemm.h"
#include "kernels/cpu/onednn_memory.h"

namespace lynceus::kernels::cpu {
namespace {

// Measured over out in {512, 1024, 2048, 2752}, in from 64 to 2752, rows from 64 to 4112: with many
// input features the copy is a small part and sgemm wins; in a small product a new primitive for
// each number of rows (0.5 ms, kept by the library) does not pay.
bool prefers_matmul(int64_t out, int64_t in, int64_t rows) {
  constexpr int64_t kLargeWork = int64_t{1} << 28;
  const bool many_rows = rows >= 1024 || (rows >= 256 && rows * out * in >= kLargeWork);
  return many_rows && in <= 768 && in <= out && out % 512 == 0;
}

void matmul(int64_t out, int64_t in, int64_t rows, const float* dy, const float* x, float* dw) {
  using dnnl::memory;
  using Tag = memory::format_tag;
  constexpr auto kFloat = memory::data_type::f32;
  const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  dnnl::stream stream(engine);
  const memory::desc dy_desc({out, rows}, kFloat, Tag::ba);
  const memory::desc x_desc({rows, in}, kFloat, Tag::ab);
  const memory::desc dw_desc({out, in}, kFloat, Tag::ab);
  dnnl::post_ops sum;
  sum.append_sum(1.0f);
  dnnl::primitive_attr attributes;
  attributes.set_post_ops(sum);
  const dnnl::matmul::primitive_desc description(dnnl::matmul::desc(dy_desc, x_desc, dw_desc),
                                                 attributes, engine);
  const dnnl::matmul primitive(description);
  primitive.execute(stream, {{DNNL_ARG_SRC, memory(dy_desc, engine, const_cast<float*>(dy))},
                             {DNNL_ARG_WEIGHTS, memory(x_desc, engine, const_cast<float*>(x))},
                             {DNNL_ARG_DST, memory(dw_desc, engine, dw)}});
  stream.wait();
}

}  // namespace

void gemm_backward_weight(const Stream& stream, int64_t out, int64_t in, int64_t rows,
                          const float* dy, const float* x, float* dw) {
  if (!prefers_matmul(out, in, rows))
    return gemm(stream, out, in, rows, {dy, out, true}, {x, in}, true, dw);
  expect_memory_for_code();
  try {
    matmul(out, in, rows, dy, x, dw);
  } catch (const dnnl::error& error) {
    if (error.status == dnnl_out_of_memory) throw Error(ExitCode::kIo, kOutOfMemory);
    throw InternalError("dnnl matmul of {} x {} x {}: {} (status {})", out, in, rows, error.message,
                        static_cast<int>(error.status));
  }
}

}  // namespace lynceus::kernels::cpu
