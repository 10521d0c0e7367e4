// Runtime: the argument that says where arithmetic runs, in which precision, and which ranks this
// one communicates with.
#pragma once

#include "core/tensor.h"
#include "parallel/grid.h"
#include "parallel/overlap.h"

namespace lynceus {

struct Runtime {
  Runtime(Stream on, parallel::Grid among, DType in = DType::kF32)
      : stream(std::move(on)), grid(std::move(among)), precision(in) {
    if (!stream.device().is_cpu()) host_stream = stream.host();
  }

  Stream stream;
  parallel::Grid grid;
  /// Of activations, their gradients and frozen matrices: f32 or bf16. Vectors, statistics, sums,
  /// parameter gradients and trained parameters are always f32.
  DType precision;
  parallel::Overlap overlap = {};
  /// Whether sums over tensor ranks have a fixed order for any number of rows (model/tensor_sum.h).
  bool ordered_sums = false;
  Stream host_stream;  ///< host memory of a rank that computes on a device; see host()

  /// A copy with another stream of the device.
  Runtime on(const Stream& other) const {
    Runtime runtime = *this;
    runtime.stream = other;
    return runtime;
  }
  /// The stream of tensors that the host reads and writes: from files, scores, agreement of ranks.
  const Stream& host() const { return stream.device().is_cpu() ? stream : host_stream; }
  /// Whether this part of `overlap` is on and the stream is on a device.
  bool overlaps(bool parallel::Overlap::*part) const {
    return overlap.*part && !stream.device().is_cpu();
  }
  /// An activation or its gradient, uninitialized.
  Tensor activation(const Shape& shape) const { return Tensor::empty(stream, shape, precision); }
};

}  // namespace lynceus
