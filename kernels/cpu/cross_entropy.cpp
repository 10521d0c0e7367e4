// Each row of logits is read while it is in cache.
#include "kernels/device/cross_entropy.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/cpu/parallel.h"
#include "kernels/cpu/vector_math.h"

namespace lynceus::kernels::cpu {
namespace {

void check_labels(const Tensor& labels, int64_t vocabulary) {
  for (const int32_t label : labels.span<int32_t>())
    if (label != kNotScored && (label < 0 || label >= vocabulary))
      throw InternalError("cross_entropy: label {}, expected {} or 0..{}", label, kNotScored,
                          vocabulary - 1);
}

/// The target's column in this shard, or -1.
int64_t local_target(int32_t label, const VocabularyShard& shard) {
  if (label == kNotScored) return -1;
  const int64_t column = label - shard.begin;
  return column >= 0 && column < shard.valid ? column : -1;
}

/// l = (e^(l − max) / Σ) − uniform − (1 − e) · onehot, with zeros in the padding.
void write_gradient(float* l, int64_t cols, int64_t valid, float max, double exp_sum, float uniform,
                    int64_t target, float target_weight) {
  const auto inverse = static_cast<float>(1.0 / exp_sum);
#pragma omp simd
  for (int64_t c = 0; c < valid; ++c) l[c] = vector_exp(l[c] - max) * inverse - uniform;
  if (target >= 0) l[target] -= target_weight;
  std::fill(l + valid, l + cols, 0.0f);
}

/// The largest of l[0..valid), −inf if there are none.
float largest_of(const float* l, int64_t valid) {
  constexpr float kNothing = -std::numeric_limits<float>::infinity();
  const int64_t half = valid / 2;  // two independent maxima hide the latency
  float first = valid % 2 == 0 ? kNothing : l[valid - 1];
  float second = kNothing;
#pragma omp simd reduction(max : first, second)
  for (int64_t c = 0; c < half; ++c) {
    first = l[c] > first ? l[c] : first;
    second = l[half + c] > second ? l[half + c] : second;
  }
  return first > second ? first : second;
}

void cross_entropy_partial(const Stream& /*stream*/, const Tensor& logits, const Tensor& labels,
                           const VocabularyShard& shard, const Tensor& row_max,
                           const Tensor& partial) {
  check_labels(labels, shard.global);
  const int64_t cols = logits.cols();
  const float* const in = logits.data<float>();
  const int32_t* const label = labels.data<int32_t>();
  float* const max = row_max.data<float>();
  float* const out = partial.data<float>();
  for_each_row(row_max.size(), cols, [=](int64_t row) {
    const float* const l = in + row * cols;
    const float largest = largest_of(l, shard.valid);
    max[row] = largest;
    const int64_t target = local_target(label[row], shard);
    const double exp_sum =
        sum_of(shard.valid, [=](int64_t c) { return vector_exp(l[c] - largest); });
    const double sum = sum_of(shard.valid, [=](int64_t c) { return l[c]; });
    const int64_t before = std::clamp<int64_t>(label[row] - shard.begin, 0, shard.valid);
    float* const sums = out + row * kCrossEntropyPartials;
    sums[0] = static_cast<float>(exp_sum);
    sums[1] = target >= 0 ? l[target] : 0.0f;
    sums[2] = static_cast<float>(sum);
    sums[3] = static_cast<float>(std::count(l, l + before, largest));
  });
}

void cross_entropy_rebase(const Stream& /*stream*/, const Tensor& local_max, const Tensor& row_max,
                          const Tensor& partial) {
  const float* const local = local_max.data<float>();
  const float* const max = row_max.data<float>();
  float* const sums = partial.data<float>();
  for_each_row(row_max.size(), kCrossEntropyPartials, [=](int64_t row) {
    if (local[row] == max[row]) return;
    sums[row * kCrossEntropyPartials] *= vector_exp(local[row] - max[row]);
    sums[row * kCrossEntropyPartials + 3] = 0;
  });
}

void cross_entropy_finish(const Stream& /*stream*/, const Tensor& logits, const Tensor& labels,
                          const VocabularyShard& shard, const Tensor& row_max,
                          const Tensor& partial, float label_smoothing, bool gradient,
                          const Tensor* row_loss, const Tensor* row_correct) {
  const int64_t cols = logits.cols();
  const int32_t* const label = labels.data<int32_t>();
  const float* const max = row_max.data<float>();
  const float* const all_sums = partial.data<float>();
  float* const in_out = logits.data<float>();
  float* const loss_out = row_loss == nullptr ? nullptr : row_loss->data<float>();
  uint8_t* const correct_out = row_correct == nullptr ? nullptr : row_correct->data<uint8_t>();
  const auto vocabulary = static_cast<double>(shard.global);
  const auto smoothing = static_cast<double>(label_smoothing);
  for_each_row(row_max.size(), gradient ? cols : 1, [=](int64_t row) {
    float* const l = in_out + row * cols;
    if (label[row] == kNotScored) {
      if (loss_out != nullptr) loss_out[row] = 0.0f;
      if (correct_out != nullptr) correct_out[row] = 0;
      if (gradient) std::fill_n(l, cols, 0.0f);
      return;
    }
    const float* const sums = all_sums + row * kCrossEntropyPartials;
    const auto exp_sum = static_cast<double>(sums[0]);
    if (correct_out != nullptr) correct_out[row] = sums[1] == max[row] && sums[3] == 0;
    if (loss_out != nullptr) {
      const double log_sum = static_cast<double>(max[row]) + std::log(exp_sum);
      double loss = log_sum - static_cast<double>(sums[1]);
      if (smoothing != 0)
        loss = (1 - smoothing) * loss +
               smoothing * (log_sum - static_cast<double>(sums[2]) / vocabulary);
      loss_out[row] = static_cast<float>(loss);
    }
    if (gradient)
      write_gradient(l, cols, shard.valid, max[row], exp_sum,
                     static_cast<float>(smoothing / vocabulary), local_target(label[row], shard),
                     static_cast<float>(1 - smoothing));
  });
}

}  // namespace

const CrossEntropyKernels kCrossEntropy = {.cross_entropy_partial = cross_entropy_partial,
                                           .cross_entropy_rebase = cross_entropy_rebase,
                                           .cross_entropy_finish = cross_entropy_finish};

}  // namespace lynceus::kernels::cpu
