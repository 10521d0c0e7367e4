// Bandwidth of the memory-bound kernels, compared with a plain copy of the same arrays in the same
// run:
//   bench_kernels            a table, one line per kernel: CPUs, f32
//   bench_kernels --json     one JSON object per line: every kernel in f32 and bf16, on a device if
//                            there is one (bench_kernels --json --help)
// GB/s counts every array that a kernel must read or write once. A good kernel reaches the figure
// of the copy; arithmetic (exp, square roots, divisions) can keep it below.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <string>
#include <vector>

#include "core/random.h"
#include "kernels/activation.h"
#include "kernels/adamw.h"
#include "kernels/cross_entropy.h"
#include "kernels/elementwise.h"
#include "kernels/norm.h"
#include "kernels/rope.h"
#include "support/kernel_rates.h"

namespace lynceus::kernels {
namespace {

constexpr int64_t kRows = 2048;
constexpr int64_t kWidth = 4096;
constexpr int64_t kTokens = 512;
constexpr int64_t kVocabulary = 32001;

const Stream& stream() {
  static const Stream instance;
  return instance;
}

Tensor random_tensor(const Shape& shape, double low = -2, double high = 2) {
  const Tensor tensor = Tensor::empty(stream(), shape);
  const CounterRandom random(1, "bench");
  for (int64_t i = 0; i < tensor.size(); ++i)
    tensor.data<float>()[i] =
        static_cast<float>(low + (high - low) * random.uniform(static_cast<uint64_t>(i)));
  return tensor;
}

/// Runs `kernel` and reports GB/s for `arrays` passes over [kRows, kWidth] floats.
template <typename Kernel>
void measure(benchmark::State& state, double arrays, Kernel kernel,
             int64_t elements = kRows * kWidth) {
  kernel();
  for (auto _ : state) {
    kernel();
    benchmark::ClobberMemory();
  }
  state.counters["GB/s"] =
      benchmark::Counter(arrays * static_cast<double>(elements) * sizeof(float) * 1e-9,
                         benchmark::Counter::kIsIterationInvariantRate);
}

struct Arrays {
  Tensor x = random_tensor({kRows, kWidth});
  Tensor up = random_tensor({kRows, kWidth});
  Tensor dy = random_tensor({kRows, kWidth});
  Tensor y = random_tensor({kRows, kWidth});
  Tensor z = random_tensor({kRows, kWidth}, 0, 1);
  Tensor weight = random_tensor({kWidth});
  Tensor sums = random_tensor({2, kWidth});
  Tensor per_row = random_tensor({2, kRows}, 0.5, 2);
};

Arrays& arrays() {
  static Arrays instance;
  return instance;
}

/// y = x: the bandwidth of a kernel that reads and writes.
void copy(benchmark::State& state) {
  const Arrays& a = arrays();
  const float* const x = a.x.data<float>();
  float* const y = a.y.data<float>();
  measure(state, 2, [&] {
#pragma omp parallel for simd schedule(static)
    for (int64_t i = 0; i < a.x.size(); ++i) y[i] = x[i];
  });
}

/// The same with three arrays.
void add_arrays(benchmark::State& state) {
  const Arrays& a = arrays();
  measure(state, 3, [&] { add(stream(), a.x, a.up, a.y); });
}

void rms_norm(benchmark::State& state) {
  const Arrays& a = arrays();
  const Tensor inv = a.per_row.slice(0, 1);
  measure(state, 2, [&] { rms_norm_forward(stream(), a.x, a.weight, 1e-6f, a.y, &inv); });
}

void rms_norm_gradient(benchmark::State& state) {  // frozen: no weight gradient
  const Arrays& a = arrays();
  const Tensor inv = a.per_row.slice(0, 1);
  measure(state, 4,
          [&] { rms_norm_backward(stream(), a.x, a.weight, inv, a.dy, &a.up, &a.y, nullptr); });
}

void layer_norm(benchmark::State& state) {
  const Arrays& a = arrays();
  const Tensor mean = a.per_row.slice(0, 1);
  const Tensor inv = a.per_row.slice(1, 1);
  measure(state, 2,
          [&] { layer_norm_forward(stream(), a.x, a.weight, a.weight, 1e-5f, a.y, &mean, &inv); });
}

void layer_norm_gradient(benchmark::State& state) {
  const Arrays& a = arrays();
  const Tensor mean = a.per_row.slice(0, 1);
  const Tensor inv = a.per_row.slice(1, 1);
  const Tensor dw = a.sums.slice(0, 1);
  const Tensor db = a.sums.slice(1, 1);
  measure(state, 4, [&] {
    layer_norm_backward(stream(), a.x, a.weight, mean, inv, a.dy, &a.up, &a.y, &dw, &db);
  });
}

void swiglu(benchmark::State& state) {
  const Arrays& a = arrays();
  measure(state, 3, [&] { swiglu_forward(stream(), a.x, a.up, a.y); });
}

void swiglu_gradient(benchmark::State& state) {
  const Arrays& a = arrays();
  measure(state, 5, [&] { swiglu_backward(stream(), a.x, a.up, a.dy, a.y, a.z); });
}

void gelu(benchmark::State& state) {
  const Arrays& a = arrays();
  measure(state, 2, [&] { gelu_forward(stream(), a.x, a.y); });
}

void gelu_gradient(benchmark::State& state) {
  const Arrays& a = arrays();
  measure(state, 3, [&] { gelu_backward(stream(), a.x, a.dy, a.y); });
}

void rope(benchmark::State& state) {
  const Arrays& a = arrays();
  const Tensor cos = random_tensor({kRows, 64}, 0.6, 0.8);
  measure(state, 2, [&] { rope_forward(stream(), cos, cos, a.y); });
}

void adapter_gradient(benchmark::State& state) {
  const Arrays& a = arrays();
  const Tensor scaling = random_tensor({1});
  const Tensor ds = random_tensor({1});
  const Tensor db = a.sums.slice(0, 1);
  measure(state, 3, [&] {
    adapter_epilogue_backward(stream(), a.x, a.weight, scaling, a.dy, a.y, &ds, &db);
  });
}

void sum_columns(benchmark::State& state) {
  const Arrays& a = arrays();
  measure(state, 1, [&] { column_sum(stream(), a.x, a.sums.slice(0, 1)); });
}

void squares(benchmark::State& state) {
  const Arrays& a = arrays();
  measure(state, 1, [&] { benchmark::DoNotOptimize(sums_of_squares(stream(), std::vector{a.x})); });
}

void adamw_update(benchmark::State& state) {
  const Arrays& a = arrays();
  AdamWUpdate update{{}, a.dy, a.x, a.y, a.z, {}};
  update.step.lr = 1e-6;
  measure(state, 7, [&] { adamw(stream(), {&update, 1}); });
}

/// Reads (maximum and sums), then reads and writes (gradient).
void cross_entropy(benchmark::State& state) {
  const Tensor logits = random_tensor({kTokens, kVocabulary});
  const Tensor labels =
      Tensor::from(stream(), {kTokens}, std::vector<int32_t>(static_cast<size_t>(kTokens), 5));
  const VocabularyShard shard{0, kVocabulary, kVocabulary};
  const Tensor row_max = random_tensor({kTokens});
  const Tensor partial = random_tensor({kTokens, kCrossEntropyPartials});
  const Tensor loss = random_tensor({kTokens});
  const auto run = [&] {
    cross_entropy_partial(stream(), logits, labels, shard, row_max, partial);
    cross_entropy_finish(stream(), logits, labels, shard, row_max, partial, 0.0f, true, &loss);
  };
  measure(state, 3, run, kTokens * kVocabulary);
}

BENCHMARK(copy)->UseRealTime();
BENCHMARK(add_arrays)->UseRealTime();
BENCHMARK(rms_norm)->UseRealTime();
BENCHMARK(rms_norm_gradient)->UseRealTime();
BENCHMARK(layer_norm)->UseRealTime();
BENCHMARK(layer_norm_gradient)->UseRealTime();
BENCHMARK(swiglu)->UseRealTime();
BENCHMARK(swiglu_gradient)->UseRealTime();
BENCHMARK(gelu)->UseRealTime();
BENCHMARK(gelu_gradient)->UseRealTime();
BENCHMARK(rope)->UseRealTime();
BENCHMARK(adapter_gradient)->UseRealTime();
BENCHMARK(sum_columns)->UseRealTime();
BENCHMARK(squares)->UseRealTime();
BENCHMARK(adamw_update)->UseRealTime();
BENCHMARK(cross_entropy)->UseRealTime();

}  // namespace
}  // namespace lynceus::kernels

int main(int argc, char** argv) {
  std::vector<std::string> arguments(argv + 1, argv + argc);
  if (std::erase(arguments, "--json") > 0) {
    try {
      return lynceus::bench::print_kernel_rates(arguments);
    } catch (const lynceus::Error& error) {
      fmt::print(stderr, "bench_kernels: {}\n", error.what());
      return static_cast<int>(error.code());
    }
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
