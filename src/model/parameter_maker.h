// ParameterMaker: makes the parameters of a layer with their place in the global model: which rows
// or columns this tensor rank holds, and whether a gradient buffer exists. All splitting of weights
// over tensor ranks is here.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/parameter.h"
#include "parallel/runtime.h"

namespace lynceus::model {

class ParameterMaker {
 public:
  ParameterMaker(const Runtime& rt, std::string prefix, bool trainable)
      : rt_(rt), prefix_(std::move(prefix)), trainable_(trainable) {}

  /// For parameters below `prefix + name + "."`.
  ParameterMaker in(const std::string& name) const {
    return {rt_, prefix_ + name + ".", trainable_};
  }
  ParameterMaker with_trainable(bool trainable) const { return {rt_, prefix_, trainable}; }

  // Matrices are in the run's precision where frozen, and have a rounded copy where trained.
  // Vectors and what is added to activations are f32.

  /// A vector, the whole of it on every tensor rank.
  Parameter replicated(const std::string& name, const Shape& global) const;
  /// A matrix, the whole of it on every tensor rank.
  Parameter replicated_matrix(const std::string& name, const Shape& global) const;
  /// Axis `axis` of the global shape split evenly over grid.tensor.
  Parameter split(const std::string& name, const Shape& global, int axis) const;
  /// Axis 0 split into equal shards, the last padded with rows that do not exist on disk.
  Parameter padded_rows(const std::string& name, const Shape& global) const;

  const Runtime& runtime() const { return rt_; }
  bool trainable() const { return trainable_; }

 private:
  Parameter make(const std::string& name, const Shape& local, const TensorShard& shard,
                 DType precision) const;
  /// A matrix's; biases are split too.
  DType precision_of(const Shape& shape) const {
    return shape.rank() >= 2 ? rt_.precision : DType::kF32;
  }

  const Runtime& rt_;
  std::string prefix_;
  bool trainable_;
};

/// What visit_parameters calls, in forward order.
using ParameterVisitor = std::function<void(Parameter&)>;

}  // namespace lynceus::model
