// Linear maps at LLM shapes against two libraries, in turn in one process: our entry points, plain
// dnnl_sgemm, and OpenBLAS (with a kernel for this processor: the benchmark sets OPENBLAS_CORETYPE
// and starts itself again, because OpenBLAS reads it when it is loaded). Prints GFLOP/s and, with
// --table [ROWS], one line per shape with the worst ratio; exit code 1 below 0.9. --bf16 [ROWS]: a
// table of our bf16 products against the same products in f32 with rounding; on a processor without
// bf16 products both are the same.
#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <omp.h>
#include <oneapi/dnnl/dnnl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "core/random.h"
#include "kernels/cpu/bf16_gemm.h"
#include "kernels/cpu/float32.h"
#include "kernels/gemm.h"

#ifdef LYNCEUS_HAVE_OPENBLAS
extern "C" {
void cblas_sgemm(int order, int transpose_a, int transpose_b, int m, int n, int k, float alpha,
                 const float* a, int lda, const float* b, int ldb, float beta, float* c, int ldc);
void openblas_set_num_threads(int threads);
}
#endif

namespace lynceus {
namespace {

struct Problem {
  int64_t rows, out, in;
  double flops() const { return 2.0 * static_cast<double>(rows * out) * static_cast<double>(in); }
};

struct Contender {
  std::string direction, name;
  std::function<void()> run;
};

Tensor normal(const Stream& stream, const Shape& shape, std::string_view name) {
  const CounterRandom random(3, name);
  const Tensor tensor = Tensor::empty(stream, shape);
  const auto values = tensor.span<float>();
  // A short period keeps the start short; multiplication takes as long as with random values.
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = i < 65537 ? static_cast<float>(random.normal(i)) : values[i - 65537];
  return tensor;
}

#ifdef LYNCEUS_HAVE_OPENBLAS
void blas(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, const Tensor& a,
          const Tensor& b, float beta, const Tensor& c) {
  const auto whole = [](int64_t value) { return static_cast<int>(value); };
  cblas_sgemm(101, transpose_a ? 112 : 111, transpose_b ? 112 : 111, whole(m), whole(n), whole(k),
              1.0f, a.data<float>(), whole(a.cols()), b.data<float>(), whole(b.cols()), beta,
              c.data<float>(), whole(c.cols()));
}
#endif

void onednn(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, const Tensor& a,
            const Tensor& b, float beta, const Tensor& c) {
  dnnl_sgemm(transpose_a ? 'T' : 'N', transpose_b ? 'T' : 'N', m, n, k, 1.0f, a.data<float>(),
             a.cols(), b.data<float>(), b.cols(), beta, c.data<float>(), c.cols());
}

std::vector<Contender> contenders(const Stream& stream, const Problem& p) {
  using kernels::PackedWeight;
  const Tensor x = normal(stream, {p.rows, p.in}, "x"), w = normal(stream, {p.out, p.in}, "w");
  const Tensor y = normal(stream, {p.rows, p.out}, "y");
  const Tensor dw = Tensor::zeros(stream, {p.out, p.in});
  const Tensor forward_out = Tensor::zeros(stream, {p.rows, p.out});
  const Tensor backward_out = Tensor::zeros(stream, {p.rows, p.in});
  const PackedWeight packed(stream, w);
  std::vector<Contender> list = {
      {"forward", "plain", [=] { kernels::linear_forward(stream, x, w, nullptr, forward_out); }},
      {"forward", "packed",
       [=] { kernels::linear_forward(stream, x, packed, nullptr, forward_out); }},
      {"forward", "oneDNN", [=] { onednn(0, 1, p.rows, p.out, p.in, x, w, 0, forward_out); }},
      {"input", "plain", [=] { kernels::linear_backward_input(stream, y, w, backward_out); }},
      {"input", "oneDNN", [=] { onednn(0, 0, p.rows, p.in, p.out, y, w, 0, backward_out); }},
      {"weight", "plain", [=] { kernels::linear_backward_weight(stream, y, x, dw, nullptr); }},
      {"weight", "oneDNN", [=] { onednn(1, 0, p.out, p.in, p.rows, y, x, 1, dw); }},
  };
#ifdef LYNCEUS_HAVE_OPENBLAS
  const std::vector<Contender> peer = {
      {"forward", "OpenBLAS", [=] { blas(0, 1, p.rows, p.out, p.in, x, w, 0, forward_out); }},
      {"input", "OpenBLAS", [=] { blas(0, 0, p.rows, p.in, p.out, y, w, 0, backward_out); }},
      {"weight", "OpenBLAS", [=] { blas(1, 0, p.out, p.in, p.rows, y, x, 1, dw); }},
  };
  list.insert(list.end(), peer.begin(), peer.end());
#endif
  return list;
}

Tensor rounded(const Stream& stream, const Tensor& tensor) {
  const Tensor result = Tensor::empty(stream, tensor.shape(), DType::kBf16);
  kernels::cpu::convert(tensor, result);
  return result;
}

std::vector<Contender> bf16_contenders(const Stream& stream, const Problem& p) {
  using kernels::cpu::In, kernels::cpu::Out;
  const Tensor x = rounded(stream, normal(stream, {p.rows, p.in}, "x"));
  const Tensor w = rounded(stream, normal(stream, {p.out, p.in}, "w"));
  const Tensor y = rounded(stream, normal(stream, {p.rows, p.out}, "y"));
  const Tensor dw = Tensor::zeros(stream, {p.out, p.in});
  const Tensor forward_out = Tensor::zeros(stream, {p.rows, p.out}, DType::kBf16);
  const Tensor backward_out = Tensor::zeros(stream, {p.rows, p.in}, DType::kBf16);
  const kernels::PackedWeight packed(stream, w);
  return {
      {"forward", "plain", [=] { kernels::linear_forward(stream, x, w, nullptr, forward_out); }},
      {"forward", "packed",
       [=] { kernels::linear_forward(stream, x, packed, nullptr, forward_out); }},
      {"forward", "widened",
       [=] {
         kernels::linear_forward(stream, In(stream, x), In(stream, w), nullptr,
                                 Out(stream, forward_out));
       }},
      {"input", "plain", [=] { kernels::linear_backward_input(stream, y, w, backward_out); }},
      {"input", "widened",
       [=] {
         kernels::linear_backward_input(stream, In(stream, y), In(stream, w),
                                        Out(stream, backward_out));
       }},
      {"weight", "plain", [=] { kernels::linear_backward_weight(stream, y, x, dw, nullptr); }},
      {"weight", "widened",
       [=] { kernels::linear_backward_weight(stream, In(stream, y), In(stream, x), dw, nullptr); }},
  };
}

std::vector<Problem> problems(bool large) {
  std::vector<Problem> list;
  std::vector<std::pair<int64_t, int64_t>> weights = {{1024, 1024}, {2752, 1024}, {1024, 2752},
                                                      {512, 1024},  {8000, 1024}, {2048, 512},
                                                      {512, 2048}};
  std::vector<int64_t> rows = {64, 128, 256, 512, 1024, 2048, 4096};
  if (large) {
    weights = {{4096, 4096}, {11008, 4096}, {4096, 11008}};
    rows.pop_back();  // takes a second per product and shows nothing more than 2048 rows
  }
  for (const auto& [out, in] : weights)
    for (const int64_t count : rows) list.push_back({count, out, in});
  return list;
}

double elapsed(const std::function<void()>& run) {
  const auto begin = std::chrono::steady_clock::now();
  run();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

// During the first calls the threads of the other library go to sleep and its data leaves the
// caches.
double seconds(const std::function<void()>& run) {
  constexpr double kWarm = 0.01;
  for (double spent = 0; spent < kWarm;) spent += elapsed(run);
  return elapsed(run);
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<int64_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

// Interleaved, with medians: the clock of the processor changes by a tenth within seconds, so the
// best of many runs is luck. In both orders, because the clock is slower after a long product.
std::vector<double> median_seconds(const std::vector<Contender>& list, const Problem& p) {
  const int rounds = static_cast<int>(std::clamp(4e10 / p.flops(), 7.0, 61.0));
  std::vector<std::vector<double>> all(list.size());
  for (int round = 0; round < rounds; ++round)
    for (size_t turn = 0; turn < list.size(); ++turn) {
      const size_t i = round % 2 == 0 ? turn : list.size() - 1 - turn;
      all[i].push_back(seconds(list[i].run));
    }
  std::vector<double> medians;
  for (const auto& times : all) medians.push_back(median(times));
  return medians;
}

double print_table_line(const Stream& stream, const Problem& p) {
  const auto list = contenders(stream, p);
  const auto times = median_seconds(list, p);
  double worst = 1e9;
  std::string line = fmt::format("{:5} x {:5} x {:5}", p.rows, p.out, p.in);
  for (const char* direction : {"forward", "input", "weight"}) {
    line += fmt::format(" | {}", direction);
    double ours = 1e9, peers = 0;
    for (size_t i = 0; i < list.size(); ++i) {
      if (list[i].direction != direction) continue;
      const double speed = p.flops() / times[i] / 1e9;
      const bool peer = list[i].name == "oneDNN" || list[i].name == "OpenBLAS";
      if (peer) peers = std::max(peers, speed);
      if (!peer) ours = std::min(ours, speed);
      line += fmt::format(" {} {:.0f}", list[i].name, speed);
    }
    worst = std::min(worst, ours / peers);
  }
  fmt::print("{} | worst ratio {:.2f}\n", line, worst);
  std::fflush(stdout);
  return worst;
}

int print_table(bool large, int64_t only_rows) {
  const Stream stream;
  double worst = 1e9;
  for (const Problem& p : problems(large))
    if (only_rows == 0 || p.rows == only_rows) worst = std::min(worst, print_table_line(stream, p));
  fmt::print("worst ratio of ours to the best peer: {:.2f}\n", worst);
  return worst >= 0.9 ? 0 : 1;
}

int print_bf16_table(int64_t only_rows) {
  const Stream stream;
  fmt::print("this processor {} bf16\n",
             kernels::cpu::has_bf16_products() ? "multiplies" : "does not multiply");
  for (const Problem& p : problems(false)) {
    if (only_rows != 0 && p.rows != only_rows) continue;
    const auto list = bf16_contenders(stream, p);
    const auto times = median_seconds(list, p);
    std::string line = fmt::format("{:5} x {:5} x {:5}", p.rows, p.out, p.in);
    for (size_t i = 0; i < list.size(); ++i)
      line += fmt::format(
          "{} {} {:.0f}",
          i == 0 || list[i].direction != list[i - 1].direction ? " | " + list[i].direction : "",
          list[i].name, p.flops() / times[i] / 1e9);
    fmt::print("{}\n", line);
    std::fflush(stdout);
  }
  return 0;
}

void register_benchmarks() {
  for (const Problem& p : {Problem{2048, 2752, 1024}, Problem{2048, 1024, 2752},
                           Problem{2048, 8000, 1024}, Problem{4112, 2048, 512}}) {
    const Stream stream;
    for (const Contender& contender : contenders(stream, p)) {
      const std::string name =
          fmt::format("{}/{}/{}x{}x{}", contender.direction, contender.name, p.rows, p.out, p.in);
      benchmark::RegisterBenchmark(name.c_str(), [contender, p](benchmark::State& state) {
        for (auto iteration : state) {
          static_cast<void>(iteration);
          contender.run();
        }
        state.counters["GFLOP/s"] =
            benchmark::Counter(p.flops() * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
      })->UseRealTime();
    }
  }
}

}  // namespace
}  // namespace lynceus

int main(int argc, char** argv) {
  if (std::getenv("OPENBLAS_CORETYPE") == nullptr && __builtin_cpu_supports("avx512f")) {
    setenv("OPENBLAS_CORETYPE", "SKYLAKEX", 1);
    execv("/proc/self/exe", argv);
  }
#ifdef LYNCEUS_HAVE_OPENBLAS
  openblas_set_num_threads(omp_get_max_threads());
#endif
  const std::string mode = argc > 1 ? argv[1] : "";
  if (mode == "--table" || mode == "--table=7b")
    return lynceus::print_table(mode == "--table=7b", argc > 2 ? std::atoll(argv[2]) : 0);
  if (mode == "--bf16") return lynceus::print_bf16_table(argc > 2 ? std::atoll(argv[2]) : 0);
  lynceus::register_benchmarks();
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
