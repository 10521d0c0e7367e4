// ParameterMaker: makes the parameters of a layer with their place in the global model: which rows
// or columns this tensor rank holds, and whether a gradient buffer exists. All splitting of weights
// over tensor ranks is here.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/parameter.h"
#include "parallel/runtime.h"

namespace lynceus {

class ParameterMaker {
 public:
  ParameterMaker(const Runtime& rt, std::string prefix, bool trainable)
      : rt_(rt), prefix_(std::move(prefix)), trainable_(trainable) {}

  /// For parameters below `prefix + name + "."`.
  ParameterMaker in(const std::string& name) const {
    return {rt_, prefix_ + name + ".", trainable_};
  }
  ParameterMaker with_trainable(bool trainable) const { return {rt_, prefix_, trainable}; }

  /// The whole tensor on every tensor rank.
  Parameter replicated(const std::string& name, const Shape& global) const;
  /// Axis `axis` of the global shape split evenly over grid.tensor.
  Parameter split(const std::string& name, const Shape& global, int axis) const;
  /// Axis 0 split into equal shards, the last padded with rows that do not exist on disk.
  Parameter padded_rows(const std::string& name, const Shape& global) const;

  const Runtime& runtime() const { return rt_; }
  bool trainable() const { return trainable_; }

 private:
  Parameter make(const std::string& name, const Shape& local, const Shard& shard) const;

  const Runtime& rt_;
  std::string prefix_;
  bool trainable_;
};

/// What visit_parameters calls, in forward order.
using ParameterVisitor = std::function<void(Parameter&)>;

}  // namespace lynceus
