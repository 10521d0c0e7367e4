// Attention at Lynx's shapes, forward and backward, compared with the rate of our own matrix
// product in the same run: one JSON object per line.
//
//   bench_attention --json                       bf16, on a device if there is one
//   bench_attention --json --tokens 2048         fewer rows per case
//
// Operations: 4 · pairs · heads · head_dim forward and 2.5 times that backward (five products for
// two), pairs = query rows · key rows of a sequence, half of it where attention is causal. Short
// sequences are limited by memory and cannot reach the matrix rate: gb_per_s counts q, k, v, out
// (and in backward the four gradients) once. bench/peers/device_attention.py measures the same
// cases.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include "core/config/config.h"
#include "core/random.h"
#include "kernels/attention.h"
#include "support/measure.h"

namespace lynceus::bench {
namespace {

struct Options {
  Place place{"auto", "bf16"};
  int64_t tokens = 16384;
  int64_t launches = 20;
  int64_t samples = 7;
  int64_t matrix = 0;
  bool json = true;
  std::string only;

  template <typename Visitor>
  void visit(Visitor& v) {
    place.visit(v);
    v.field("tokens", tokens, "query rows that a case is filled up to");
    v.field("launches", launches, "that are timed together");
    v.field("samples", samples, "times that is done");
    v.field("matrix", matrix,
            "size of the matrix product to compare with; 0: 8192 on a device, 1024 on CPUs");
    v.field("json", json, "a JSON object a line, which is all there is");
    v.field("only", only, "cases whose name has this in it");
  }
};

/// Sequences of one kind.
struct Case {
  std::string name;
  int64_t heads, head_dim;
  bool causal;
  std::vector<int64_t> q_lengths, k_lengths;

  double pairs() const {
    double sum = 0;
    for (size_t i = 0; i < q_lengths.size(); ++i)
      sum += static_cast<double>(q_lengths[i] * k_lengths[i]);
    return causal ? sum / 2 : sum;
  }
};

Case equal_case(const std::string& name, int64_t heads, int64_t head_dim, bool causal, int64_t q,
                int64_t k, int64_t tokens) {
  const auto sequences = static_cast<size_t>(std::max<int64_t>(1, tokens / q));
  return {name,
          heads,
          head_dim,
          causal,
          std::vector<int64_t>(sequences, q),
          std::vector<int64_t>(sequences, k)};
}

/// Lengths drawn evenly from 64 to 512, as the peer draws them.
Case mixed_case(int64_t tokens) {
  Case mixed{"causal 64-512", 32, 128, true, {}, {}};
  const CounterRandom random(1, "attention lengths");
  for (int64_t filled = 0, i = 0; filled < tokens; ++i) {
    const auto length = static_cast<int64_t>(64 + random.below(static_cast<uint64_t>(i), 449));
    mixed.q_lengths.push_back(length);
    filled += length;
  }
  mixed.k_lengths = mixed.q_lengths;
  return mixed;
}

std::vector<Case> cases(int64_t tokens) {
  return {equal_case("causal 64", 32, 128, true, 64, 64, tokens),
          equal_case("causal 128", 32, 128, true, 128, 128, tokens),
          equal_case("causal 256", 32, 128, true, 256, 256, tokens),
          equal_case("causal 512", 32, 128, true, 512, 512, tokens), mixed_case(tokens),
          equal_case("causal 2048", 32, 128, true, 2048, 2048, tokens),
          equal_case("vision 257", 16, 88, false, 257, 257, tokens),
          equal_case("vision 901", 16, 88, false, 901, 901, tokens),
          // The latents of a sample over one image of 224 pixels and over a video of five frames.
          equal_case("latents 32 x 257", 8, 64, false, 32, 257, tokens / 4),
          equal_case("latents 32 x 1285", 8, 64, false, 32, 1285, tokens / 16)};
}

kernels::CumulativeLengths begins(const Stream& stream, const std::vector<int64_t>& lengths) {
  std::vector<int32_t> sums{0};
  for (const int64_t length : lengths) sums.push_back(sums.back() + static_cast<int32_t>(length));
  return {stream, std::move(sums)};
}

class CaseBench {
 public:
  CaseBench(const Stream& stream, const Options& options, const Case& measured, double rate)
      : stream_(stream), options_(options), case_(measured), rate_(rate) {
    RandomValues random(stream);
    const DType dtype = options.place.dtype();
    const int64_t width = measured.heads * measured.head_dim;
    q_begin_ = begins(stream, measured.q_lengths);
    k_begin_ = begins(stream, measured.k_lengths);
    for (Tensor* rows : {&q_, &out_, &dout_, &dq_})
      *rows = random.normal({q_begin_.tokens(), width}, dtype);
    for (Tensor* rows : {&k_, &v_, &dk_, &dv_})
      *rows = random.normal({k_begin_.tokens(), width}, dtype);
    lse_ = random.normal({measured.heads, q_begin_.tokens()}, DType::kF32);
  }

  void run() const {
    const kernels::AttentionShape shape{
        case_.heads, case_.heads, case_.head_dim,
        static_cast<float>(1 / std::sqrt(static_cast<double>(case_.head_dim))), case_.causal};
    const double flops = 4 * case_.pairs() * static_cast<double>(case_.heads * case_.head_dim);
    const double bytes = 2 * static_cast<double>(q_.bytes() + k_.bytes());
    report("forward", flops, bytes, [&] {
      kernels::attention_forward(stream_, shape, q_, k_, v_, q_begin_, k_begin_, out_, &lse_);
    });
    report("backward", 2.5 * flops, 2 * bytes, [&] {
      kernels::attention_backward(stream_, shape, q_, k_, v_, out_, lse_, dout_, q_begin_, k_begin_,
                                  dq_, dk_, dv_);
    });
  }

 private:
  void report(const std::string& direction, double flops, double bytes,
              const std::function<void()>& work) const {
    const Spread seconds = seconds_per_launch(stream_, work, static_cast<int>(options_.launches),
                                              static_cast<int>(options_.samples));
    print_line({{"figure", "attention"},
                {"program", "lynceus"},
                {"device", name_of(stream_.device())},
                {"precision", options_.place.precision},
                {"case", case_.name},
                {"direction", direction},
                {"heads", case_.heads},
                {"head_dim", case_.head_dim},
                {"sequences", q_begin_.sequences()},
                {"rows", q_begin_.tokens()},
                {"pairs", case_.pairs()},
                {"microseconds", seconds.json(1e6)},
                {"tflops", 1e-12 * flops / seconds.median()},
                {"gb_per_s", 1e-9 * bytes / seconds.median()},
                {"matrix_tflops", 1e-12 * rate_},
                {"share", flops / seconds.median() / rate_}});
  }

  const Stream& stream_;
  const Options& options_;
  const Case& case_;
  double rate_;
  kernels::CumulativeLengths q_begin_, k_begin_;
  Tensor q_, k_, v_, out_, lse_, dout_, dq_, dk_, dv_;
};

int run(const std::vector<std::string>& arguments) {
  Options options;
  ConfigReader reader;
  reader.add(options);
  if (reader.read(arguments).help) {
    fmt::print("{}", reader.help());
    return 0;
  }
  if (options.tokens < 1 || options.launches < 1 || options.samples < 1)
    throw UsageError("expected --tokens, --launches and --samples of 1 or more");
  const Stream stream = options.place.stream();
  const int64_t size = options.matrix > 0 ? options.matrix : stream.device().is_cpu() ? 1024 : 8192;
  const Spread rate = matrix_rate(stream, options.place.dtype(), size);
  print_line({{"figure", "matrix"},
              {"program", "lynceus"},
              {"device", name_of(stream.device())},
              {"precision", options.place.precision},
              {"size", size},
              {"tflops", rate.json(1e-12)}});
  for (const Case& measured : cases(options.tokens))
    if (measured.name.find(options.only) != std::string::npos)
      CaseBench(stream, options, measured, rate.median()).run();
  return 0;
}

}  // namespace
}  // namespace lynceus::bench

int main(int argc, char** argv) {
  return lynceus::bench::guarded("bench_attention", [&] {
    return lynceus::bench::run({argv + 1, argv + argc});
  });
}
