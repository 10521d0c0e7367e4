#include "train/step/nonfinite_probe.h"

#include <algorithm>
#include <cmath>

#include "core/check.h"

namespace lynceus::train {

bool all_finite(const Tensor& tensor) {
  if (!tensor.defined() || tensor.size() == 0) return true;
  const auto finite = [](float x) { return std::isfinite(x); };
  if (tensor.dtype() == DType::kF32) {
    const auto values = tensor.to_vector<float>();
    return std::all_of(values.begin(), values.end(), finite);
  }
  LYNCEUS_CHECK(tensor.dtype() == DType::kBf16, "a tensor of {}", name_of(tensor.dtype()));
  const auto values = tensor.to_vector<BFloat16>();
  return std::all_of(values.begin(), values.end(),
                     [&](BFloat16 x) { return finite(static_cast<float>(x)); });
}

void NonfiniteProbe::add_samples(int micro_batch) {
  for (const int64_t index : batch_.micro_batches[micro_batch].samples)
    for (size_t i = 0; i < batch_.samples.size(); ++i)
      if (batch_.samples[i].index == index) samples_.insert(static_cast<int64_t>(i));
}

void NonfiniteProbe::visual_tokens(const VisionWindow& window, const Tensor& visual) {
  if (!visual.defined()) return;
  for (const MediaItem& item : window.items) {
    if (all_finite(visual.slice(item.visual_begin, item.visual_count))) continue;
    encoders_.insert(item.owner);
    samples_.insert(item.sample);
  }
}

void NonfiniteProbe::forward(int micro_batch, const Tensor& input,
                             const model::LlmStage::Output& output) {
  if (all_finite(output.h) && all_finite(output.loss.row_loss)) return;
  input_arrived_ = input_arrived_ || !all_finite(input);
  if (input_arrived_) return;
  forward_arises_ = true;
  add_samples(micro_batch);
}

void NonfiniteProbe::backward(int micro_batch, const Tensor& dh, const Tensor& dx) {
  gradient_arrived_ = gradient_arrived_ || !all_finite(dh);
  if (gradient_arrived_) return;
  if (all_finite(dx) && optimizer_.sum_of_squares(reach_).finite) return;
  backward_arises_ = true;
  add_samples(micro_batch);
}

}  // namespace lynceus::train
