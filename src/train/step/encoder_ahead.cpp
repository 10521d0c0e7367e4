#include "train/step/encoder_ahead.h"

#include <utility>

#include "kernels/gemm.h"
#include "train/step/vision_branch.h"

namespace lynceus::train {

EncoderAhead::EncoderAhead(const Runtime& rt, const model::LynxModel& model)
    : rt_(rt),
      model_(model),
      side_(rt.on(Stream(rt.stream.device(), accelerator::Priority::kLow))) {
  kernels::search_products(side_.stream, kernels::searches_products(rt.stream));
}

EncoderAhead::~EncoderAhead() { wait(); }

void EncoderAhead::begin(PreparedStep step) {
  step_ = std::move(step);
  submitted_ = std::async(std::launch::async,
                          encode_ahead(rt_, side_, model_, &step_->batch, step_->pixel_source()));
}

PreparedStep EncoderAhead::take() {
  submitted_.get();
  return *std::exchange(step_, std::nullopt);
}

void EncoderAhead::forget() {
  wait();
  accelerator::wait(rt_.stream.pool()->queue(), accelerator::record(side_.stream.pool()->queue()));
  step_.reset();
}

void EncoderAhead::wait() noexcept {
  if (submitted_.valid()) submitted_.wait();
  submitted_ = {};  // with the pixels that it keeps
}

}  // namespace lynceus::train
