// Common to the checkpoint tests: a run directory; tensors whose elements are functions of (name,
// step, global index), split as a grid splits them; a check that their values were restored.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "core/random.h"
#include "io/checkpoint/checkpoint.h"
#include "io/checkpoint/reader.h"
#include "io/checkpoint/writer.h"
#include "io/files/file.h"
#include "parallel/grid.h"

namespace lynceus::io {

struct GlobalTensor {
  std::string name;
  Shape shape;
  int axis = -1;
  int stage = -1;  // of two; -1: on every stage
};

/// Small tensors of every kind; with `large` also three with several digest blocks.
inline std::vector<GlobalTensor> model_tensors(bool large) {
  std::vector<GlobalTensor> tensors = {{"LLM.layers.0.rows.weight", {10, 6}, 0, 0},
                                       {"LLM.layers.0.columns.weight", {7, 12}, 1, 0},
                                       {"LLM.layers.1.middle.weight", {3, 8, 5}, 1, 1},
                                       {"LLM.layers.1.norm.weight", {6}, -1, 1},
                                       {"LLM.embed_tokens.weight", {13, 5}, 0, 0},
                                       {"bridge.latents", {4, 9}, -1, -1},
                                       {"bridge.gate", {}, -1, -1}};
  if (large) {
    tensors.push_back({"LLM.layers.1.rows.weight", {2600, 1000}, 0, 1});
    tensors.push_back({"LLM.layers.1.columns.weight", {1300, 1200}, 1, 1});
    tensors.push_back({"bridge.projection", {2100, 700}, -1, -1});
  }
  return tensors;
}

/// The value of element `index` of a tensor after `step`.
class Values {
 public:
  Values(const std::string& name, int64_t step) : random_(static_cast<uint64_t>(step), name) {}
  float at(int64_t index) const {
    return static_cast<float>(random_.uniform(static_cast<uint64_t>(index)) - 0.5);
  }

 private:
  CounterRandom random_;
};

/// One rank's part of one tensor. Shards are rounded up, so the last ones may be padded.
class LocalTensor {
 public:
  LocalTensor(const GlobalTensor& global, int tensor_rank, int tensor_size, const Stream& stream)
      : global_(global) {
    Shape local = global.shape;
    if (global.axis >= 0) {
      const int64_t extent = global.shape[global.axis];
      const int64_t share = (extent + tensor_size - 1) / tensor_size;
      local.set(global.axis, share);
      shard_ = {global.axis, tensor_rank * share, extent};
    }
    tensor_ = Tensor::empty(stream, local);
  }
  CheckpointTensor entry(const std::string& kind = "value") const {
    return {global_.name + "/" + kind, tensor_, shard_};
  }
  void fill(int64_t step, const std::string& kind = "value") const {
    const Values values(global_.name + kind, step);
    each([&](float& element, int64_t index) { element = index < 0 ? -7.f : values.at(index); });
  }
  void scramble() const {
    for (float& element : tensor_.span<float>()) element = 99.f;
  }
  /// The number of elements that differ from what fill() writes (0 in the padding).
  int64_t wrong(int64_t step, const std::string& kind = "value") const {
    const Values values(global_.name + kind, step);
    int64_t count = 0;
    each([&](float& element, int64_t index) {
      const float expected = index < 0 ? 0.f : values.at(index);
      if (element != expected) ++count;
    });
    return count;
  }

 private:
  /// Calls with each local element and its global flat index, -1 for padding.
  template <typename Visit>
  void each(const Visit& visit) const {
    const auto elements = tensor_.span<float>();
    if (global_.axis < 0) {
      for (size_t i = 0; i < elements.size(); ++i) visit(elements[i], static_cast<int64_t>(i));
      return;
    }
    int64_t inner = 1;
    for (int axis = global_.axis + 1; axis < global_.shape.rank(); ++axis)
      inner *= global_.shape[axis];
    const int64_t share = tensor_.dim(global_.axis);
    for (size_t i = 0; i < elements.size(); ++i) {
      const auto flat = static_cast<int64_t>(i);
      const int64_t along = flat / inner % share + shard_.offset;
      const bool padding = along >= shard_.global_extent;
      visit(elements[i], padding ? -1
                                 : flat / (inner * share) * inner * shard_.global_extent +
                                       along * inner + flat % inner);
    }
  }

  GlobalTensor global_;
  TensorShard shard_;
  Tensor tensor_;
};

/// What one rank of a grid with one or two stages holds.
inline std::vector<LocalTensor> local_tensors(const std::vector<GlobalTensor>& globals,
                                              const parallel::GridShape& grid, int rank,
                                              const Stream& stream) {
  std::vector<LocalTensor> tensors;
  for (const GlobalTensor& global : globals) {
    const int stage = global.stage * grid.pipeline / 2;
    if (global.stage < 0 || stage == grid.stage(rank))
      tensors.emplace_back(global, grid.tensor_rank(rank), grid.tensor, stream);
  }
  return tensors;
}

inline std::vector<CheckpointTensor> entries_of(const std::vector<LocalTensor>& tensors) {
  std::vector<CheckpointTensor> entries;
  for (const LocalTensor& tensor : tensors) entries.push_back(tensor.entry());
  return entries;
}

inline Manifest manifest_of(int64_t step) {
  Manifest manifest;
  manifest.step = step;
  manifest.samples_seen = step * 64;
  manifest.software = "test";
  return manifest;
}

/// A new directory, the same on all ranks, removed at the end.
class RunDirectory {
 public:
  explicit RunDirectory(parallel::Communicator& world) : world_(world) {
    path_ = world.broadcast(
        fmt::format("{}checkpoint_{}_{}", testing::TempDir(), getpid(), ++counter()), 0);
    if (world.rank() == 0) std::filesystem::remove_all(path_);
    world.barrier();
  }
  ~RunDirectory() {
    world_.barrier();
    if (world_.rank() == 0) std::filesystem::remove_all(path_);
  }
  const std::filesystem::path& path() const { return path_; }

 private:
  static int& counter() {
    static int value = 0;
    return value;
  }
  parallel::Communicator& world_;
  std::filesystem::path path_;
};

inline void flip_bit(const std::filesystem::path& path, uint64_t byte, int bit) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(static_cast<std::streamoff>(byte));
  const int value = file.get();
  file.seekp(static_cast<std::streamoff>(byte));
  file.put(static_cast<char>(value ^ (1 << bit)));
}

/// Names in RUN/checkpoints that are neither committed checkpoints nor `latest`.
inline std::vector<std::string> leftovers(const std::filesystem::path& run) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(run / "checkpoints")) {
    const std::string name = entry.path().filename();
    if (!name.starts_with("step-") && name != "latest") names.push_back(name);
  }
  return names;
}

}  // namespace lynceus::io
