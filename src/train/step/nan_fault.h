// Values that become NaN on purpose (core/fault.h): the fault points step.gradient and step.output.
#pragma once

#include "core/tensor.h"

namespace lynceus::train {

/// What this rank makes NaN in one step. Kept with the step, so that the step computed again has
/// the same fault.
struct NanFaults {
  bool gradient = false;  ///< the first element of one gradient, before the backward pass
  bool output = false;    ///< of the first micro-batch: a row's loss, or the activations sent on

  /// Reaches both points.
  static NanFaults of_this_step();
};

/// Sets the first element, of any floating-point type and on any device. -> whether there is one.
bool make_nan(const Tensor& tensor);

}  // namespace lynceus::train
