// Times, spreads and random values.
#include "support/measure.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "core/accelerator.h"
#include "core/error.h"
#include "core/random.h"
#include "kernels/cast.h"
#include "kernels/gemm.h"

namespace lynceus::bench {
namespace {

constexpr int64_t kTile = 4194301;  // the largest prime below 2^22

double seconds_of(const Stream& stream, const std::function<void()>& work, int launches) {
  const auto& queue = stream.pool()->queue();
  if (queue != nullptr) {
    const accelerator::Event begin = accelerator::record_time(queue);
    for (int i = 0; i < launches; ++i) work();
    const accelerator::Event end = accelerator::record_time(queue);
    accelerator::synchronize(end);
    return 1e-3 * accelerator::milliseconds_between(begin, end);
  }
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < launches; ++i) work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace

int guarded(const char* name, const std::function<int()>& run) {
  try {
    return run();
  } catch (const Error& error) {
    fmt::print(stderr, "{}: {}\n", name, error.what());
    return static_cast<int>(error.code());
  }
}

Stream Place::stream() const {
  if (device == "cpu") return Stream();
  if (accelerator::device_count() > 0) return Stream(Device{DeviceKind::kCuda, 0});
  if (device == "cuda")
    throw UsageError("device: cuda was asked for, but {}", accelerator::why_no_device());
  return Stream();
}

std::string name_of(Device device) {
  return device.is_cpu() ? "CPU" : accelerator::device_name(device.index);
}

double Spread::min() const { return *std::min_element(samples.begin(), samples.end()); }
double Spread::max() const { return *std::max_element(samples.begin(), samples.end()); }

double Spread::median() const {
  std::vector<double> sorted = samples;
  std::sort(sorted.begin(), sorted.end());
  return sorted[sorted.size() / 2];
}

Json Spread::json(double scale) const {
  return {{"min", min() * scale}, {"median", median() * scale}, {"max", max() * scale}};
}

Spread seconds_per_launch(const Stream& stream, const std::function<void()>& work, int launches,
                          int samples) {
  using Clock = std::chrono::steady_clock;
  work();
  // The clocks of an idle device are slow and rise after a while.
  constexpr auto kWarm = std::chrono::milliseconds(100);
  if (!stream.device().is_cpu())
    for (const auto end = Clock::now() + kWarm; Clock::now() < end;)
      seconds_of(stream, work, launches);
  Spread spread;
  for (int i = 0; i < samples; ++i)
    spread.samples.push_back(seconds_of(stream, work, launches) / launches);
  return spread;
}

const Tensor& RandomValues::tile(double deviation, DType dtype) {
  Tensor& tile = tiles_[{deviation, dtype}];
  if (tile.defined()) return tile;
  if (host_.empty()) {
    const CounterRandom random(1, "bench");
    host_.resize(kTile);
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < kTile; ++i) host_[i] = static_cast<float>(random.normal(i));
  }
  std::vector<float> scaled(host_);
  for (float& value : scaled) value *= static_cast<float>(deviation);
  const Tensor wide = Tensor::from(stream_, {kTile}, scaled);
  tile = dtype == DType::kF32 ? wide : Tensor::empty(stream_, {kTile}, dtype);
  if (dtype != DType::kF32) kernels::cast(stream_, wide, tile);
  return tile;
}

void RandomValues::fill(const Tensor& tensor, double deviation) {
  const Tensor& source = tile(deviation, tensor.dtype());
  const Tensor flat = tensor.reshape({tensor.size()});
  for (int64_t begin = 0; begin < flat.size(); begin += kTile) {
    const int64_t count = std::min(kTile, flat.size() - begin);
    flat.slice(begin, count).copy_from(source.slice(0, count));
  }
}

Tensor RandomValues::normal(const Shape& shape, DType dtype, double deviation, MemoryOwner owner) {
  const Tensor tensor = Tensor::empty(stream_, shape, dtype, owner);
  fill(tensor, deviation);
  return tensor;
}

Spread matrix_rate(const Stream& stream, DType dtype, int64_t size, int samples) {
  RandomValues random(stream);
  const Tensor x = random.normal({size, size}, dtype), w = random.normal({size, size}, dtype);
  const Tensor y = Tensor::empty(stream, {size, size}, dtype);
  const double flops = 2.0 * static_cast<double>(size * size) * static_cast<double>(size);
  const int launches = stream.device().is_cpu() ? 1 : 10;
  Spread rate = seconds_per_launch(
      stream, [&] { kernels::linear_forward(stream, x, w, nullptr, y); }, launches, samples);
  for (double& sample : rate.samples) sample = flops / sample;
  return rate;
}

void print_line(const Json& line) {
  std::printf("%s\n", line.dump().c_str());
  std::fflush(stdout);
}

}  // namespace lynceus::bench
