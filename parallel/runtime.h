// Runtime: the one argument that says where I am: on which stream arithmetic runs and in which
// precision, and whom this rank talks to.
#pragma once

#include "core/tensor.h"
#include "parallel/agreement.h"
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
  /// parameter gradients and what is trained are f32 in either.
  DType precision;
  parallel::Overlap overlap = {};
  Stream host_stream;  ///< host memory beside a device's; see host()

  /// The same on another stream of the device.
  Runtime on(const Stream& other) const {
    Runtime runtime = *this;
    runtime.stream = other;
    return runtime;
  }
  /// Where the host reads and writes: tensors of files, of scores, of agreement between ranks.
  const Stream& host() const { return stream.device().is_cpu() ? stream : host_stream; }
  /// Whether a part of what may overlap does so here.
  bool overlaps(bool parallel::Overlap::*part) const {
    return overlap.*part && !stream.device().is_cpu();
  }
  /// An activation or its gradient, uninitialised.
  Tensor activation(const Shape& shape) const { return Tensor::empty(stream, shape, precision); }
};

}  // namespace lynceus
