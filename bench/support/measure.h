// Common parts of the benchmarks: device, random values, times of work on a stream, the rate of
// matrix products to which other figures are related, and output of one JSON object per line.
//
// On a device events around many launches measure the time, without that of the host; on CPUs the
// clock does.
#pragma once

#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "core/tensor.h"

namespace lynceus::bench {

using Json = nlohmann::ordered_json;

/// Where a benchmark runs, with the options of the program.
struct Place {
  std::string device = "auto";
  std::string precision = "f32";

  template <typename Visitor>
  void visit(Visitor& v) {
    v.choice("device", device, {"auto", "cpu", "cuda"},
             "where arithmetic runs: auto (a GPU where there is one), cpu or cuda");
    v.choice("precision", precision, {"f32", "bf16"}, "of activations and frozen weights");
  }
  DType dtype() const { return precision == "bf16" ? DType::kBf16 : DType::kF32; }
  /// UsageError if a device is required and there is none.
  Stream stream() const;
};

/// main() of the benchmark `name`: an Error of `run` is one line on stderr. -> exit code.
int guarded(const char* name, const std::function<int()>& run);

/// "NVIDIA H200" or "CPU"
std::string name_of(Device device);

/// Samples of one figure.
struct Spread {
  std::vector<double> samples;

  double min() const;
  double median() const;
  double max() const;
  /// {"min", "median", "max"}, each times `scale`.
  Json json(double scale = 1) const;
};

/// Seconds of one launch of `work`: `samples` averages over `launches` launches, after some warm-up
/// launches.
Spread seconds_per_launch(const Stream& stream, const std::function<void()>& work, int launches,
                          int samples);

/// Quickly makes tensors of random values: copies of one tile of normal values, whose length is a
/// prime, so that no two rows of a matrix are equal. Multiplication takes as long as with other
/// random values.
class RandomValues {
 public:
  explicit RandomValues(Stream stream) : stream_(std::move(stream)) {}

  void fill(const Tensor& tensor, double deviation);
  Tensor normal(const Shape& shape, DType dtype, double deviation = 1,
                MemoryOwner owner = MemoryOwner::kActivation);

 private:
  const Tensor& tile(double deviation, DType dtype);

  Stream stream_;
  std::vector<float> host_;
  std::map<std::pair<double, DType>, Tensor> tiles_;
};

/// Operations per second of our own matrix product (kernels/gemm.h) at size³ on random normal
/// values.
Spread matrix_rate(const Stream& stream, DType dtype, int64_t size, int samples = 7);

/// Writes one line to stdout and flushes it.
void print_line(const Json& line);

}  // namespace lynceus::bench
