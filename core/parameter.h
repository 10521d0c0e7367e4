// Parameter: a named weight. A parameter without a gradient buffer is frozen; there is no flag.
// TensorShard: the part of the named global tensor that the local one is. Loading, checkpoints and
// resharding work from it.
#pragma once

#include <algorithm>
#include <string>

#include "core/tensor.h"

namespace lynceus {

struct TensorShard {
  int axis = -1;       ///< the axis that is split over grid.tensor; -1: replicated
  int64_t offset = 0;  ///< where the local rows (columns) begin in the global tensor
  /// Extent of the axis in the global tensor, as on disk. The local tensor may extend past it:
  /// those rows are padding and never saved (the vocabulary need not be divisible).
  int64_t global_extent = 0;
};

/// The part of the model that a parameter belongs to; set where the parameter is made.
enum class Module : uint8_t { kVision, kBridge, kLlm, kAdapter };

/// As in model.train, in manifests and in log lines.
constexpr const char* name_of(Module module) {
  switch (module) {
    case Module::kVision:
      return "vision";
    case Module::kBridge:
      return "bridge";
    case Module::kLlm:
      return "llm";
    case Module::kAdapter:
      return "adapter";
  }
  return "?";
}

struct Parameter {
  std::string name;  ///< the released Lynx / Hugging Face name, unchanged
  Tensor value;      ///< the local part; f32 if trained
  Tensor grad;       ///< undefined: frozen
  TensorShard shard;
  Tensor rounded = {};  ///< bf16 copy of a trained matrix if arithmetic is in bf16
  Module module = Module::kLlm;

  bool trainable() const { return grad.defined(); }
  /// What layers compute with.
  const Tensor& used() const { return rounded.defined() ? rounded : value; }
  bool sharded() const { return shard.axis >= 0; }
  /// The shape of the named tensor on disk.
  Shape global_shape() const {
    Shape shape = value.shape();
    if (sharded()) shape.set(shard.axis, shard.global_extent);
    return shape;
  }
  /// Rows (columns) of the local tensor that are not padding.
  int64_t valid_extent() const {
    if (!sharded()) return value.rank() == 0 ? 1 : value.dim(0);
    return std::max<int64_t>(0,
                             std::min(value.dim(shard.axis), shard.global_extent - shard.offset));
  }
};

}  // namespace lynceus
