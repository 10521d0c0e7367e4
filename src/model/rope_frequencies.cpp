// One function for each kind of scaling.
#include "model/rope_frequencies.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace lynceus::model {
namespace {

std::vector<double> unscaled(double theta, int64_t head_dim) {
  const int64_t half = head_dim / 2;
  std::vector<double> frequencies(static_cast<size_t>(half));
  for (int64_t i = 0; i < half; ++i)
    frequencies[static_cast<size_t>(i)] =
        std::pow(theta, -static_cast<double>(i) / static_cast<double>(half));
  return frequencies;
}

double dynamic_theta(const io::RopeScaling& scaling, double theta, int64_t head_dim,
                     int64_t length) {
  if (length <= scaling.original_positions || head_dim <= 2) return theta;
  const double stretch =
      static_cast<double>(length) / static_cast<double>(scaling.original_positions);
  const auto size = static_cast<double>(head_dim);
  return theta * std::pow(scaling.factor * stretch - (scaling.factor - 1), size / (size - 2));
}

double llama3(const io::RopeScaling& scaling, double frequency) {
  const auto positions = static_cast<double>(scaling.original_positions);
  const double wavelength = 2 * std::numbers::pi / frequency;
  if (wavelength < positions / scaling.high_freq_factor) return frequency;
  if (wavelength > positions / scaling.low_freq_factor) return frequency / scaling.factor;
  const double smooth = (positions / wavelength - scaling.low_freq_factor) /
                        (scaling.high_freq_factor - scaling.low_freq_factor);
  return (1 - smooth) * frequency / scaling.factor + smooth * frequency;
}

}  // namespace

std::vector<double> rope_frequencies(const io::RopeScaling& scaling, double theta, int64_t head_dim,
                                     int64_t length) {
  using Kind = io::RopeScaling::Kind;
  if (scaling.kind == Kind::kDynamic) theta = dynamic_theta(scaling, theta, head_dim, length);
  std::vector<double> frequencies = unscaled(theta, head_dim);
  for (double& frequency : frequencies) {
    if (scaling.kind == Kind::kLinear) frequency /= scaling.factor;
    if (scaling.kind == Kind::kLlama3) frequency = llama3(scaling, frequency);
  }
  return frequencies;
}

}  // namespace lynceus::model
