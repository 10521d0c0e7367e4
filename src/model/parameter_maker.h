// ParameterMaker: makes the parameters of a layer: name, module, which rows or columns of the
// global tensor this tensor rank holds, and whether there is a gradient buffer. All splitting of
// weights over tensor ranks is here.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/parameter.h"
#include "parallel/runtime.h"

namespace lynceus::model {

/// A device's products work on tiles of so many rows, and are slow where rows do not begin at a
/// multiple of 16 bytes, as logits of 32,001 columns.
constexpr int64_t kDeviceGranule = 64;

class ParameterMaker {
 public:
  ParameterMaker(const Runtime& rt, std::string prefix, Module module, bool trainable)
      : rt_(rt), prefix_(std::move(prefix)), module_(module), trainable_(trainable) {}

  /// For parameters below `prefix + name + "."`.
  ParameterMaker in(const std::string& name) const {
    return {rt_, prefix_ + name + ".", module_, trainable_};
  }
  /// For parameters of another module below the same prefix.
  ParameterMaker of(Module module, bool trainable) const {
    return {rt_, prefix_, module, trainable};
  }

  // A frozen matrix is in the run's precision. A trained one is f32, with a rounded copy where the
  // run's precision is bf16. Vectors and what is added to activations are f32. Values are zeros.

  /// A vector, complete on every tensor rank.
  Parameter replicated(const std::string& name, const Shape& global) const;
  /// A matrix, complete on every tensor rank.
  Parameter replicated_matrix(const std::string& name, const Shape& global) const;
  /// Axis `axis` of the global shape split evenly over grid.tensor.
  Parameter split(const std::string& name, const Shape& global, int axis) const;
  /// Axis 0 split into equal shards, on devices a multiple of kDeviceGranule; the last ones are
  /// padded with rows that do not exist on disk.
  Parameter padded_rows(const std::string& name, const Shape& global) const;

  const Runtime& runtime() const { return rt_; }

 private:
  Parameter make(const std::string& name, const Shape& local, const TensorShard& shard,
                 DType precision) const;
  /// Of a split parameter: biases are split too.
  DType precision_of(const Shape& shape) const {
    return shape.rank() >= 2 ? rt_.precision : DType::kF32;
  }

  const Runtime& rt_;
  std::string prefix_;
  Module module_;
  bool trainable_;
};

/// What visit_parameters calls, in forward order.
using ParameterVisitor = std::function<void(Parameter&)>;

}  // namespace lynceus::model
