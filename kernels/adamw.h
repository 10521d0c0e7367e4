// AdamW (Loshchilov, Hutter 2019) exactly as torch.optim.AdamW, on f32 masters.
#pragma once

#include <span>

#include "core/tensor.h"

namespace lynceus::kernels {

struct AdamWStep {
  double lr = 0;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0.01;
  int64_t step = 1;       ///< this update's number for this parameter, from 1
  double grad_scale = 1;  ///< the gradient is multiplied by this first (1 / tokens, clipping)
};

/// The update of one tensor. All tensors have the same size and are f32, except rounded.
struct AdamWUpdate {
  AdamWStep step;
  Tensor grad, value, m, v;
  Tensor rounded;  ///< bf16, = the new value; undefined: not wanted
};

/// For each of the updates; they must not share memory: g = grad_scale · grad;  p *= 1 − lr·wd;  m
/// = b1·m + (1 − b1)·g;  v = b2·v + (1 − b2)·g²; p −= lr / (1 − b1^t) · m / (sqrt(v) / sqrt(1 −
/// b2^t) + eps).
void adamw(const Stream& stream, std::span<const AdamWUpdate> updates);

}  // namespace lynceus::kernels
