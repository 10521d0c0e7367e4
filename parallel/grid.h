// The process grid: tensor × pipeline × data ranks, rank = tensor + T·(data + D·pipeline), so that
// tensor neighbours share a node. A value with named axes; no globals.
#pragma once

#include <memory>
#include <string>

#include "parallel/communicator.h"

namespace lynceus::parallel {

struct DeviceOptions;

/// The largest size of an axis: the product of three fits 64 bits.
constexpr int kMaxAxis = 1 << 20;

/// The sizes of the axes and pure arithmetic on them; testable without MPI.
struct GridShape {
  int tensor = 1;
  int pipeline = 1;
  int data = 1;

  int64_t world() const { return int64_t{1} * tensor * pipeline * data; }
  int tensor_rank(int rank) const { return rank % tensor; }
  int data_rank(int rank) const { return rank / tensor % data; }
  int stage(int rank) const { return rank / (tensor * data); }
  int rank_of(int tensor_rank, int data_rank, int stage) const {
    return tensor_rank + tensor * (data_rank + data * stage);
  }
  std::string to_string() const;  ///< "2 tensor x 2 pipeline x 1 data"
};

/// Copies share the communicators.
struct Grid {
  GridShape shape;
  std::shared_ptr<Communicator> world;
  std::shared_ptr<Communicator> tensor;    ///< ranks that share each layer of a stage
  std::shared_ptr<Communicator> pipeline;  ///< the stages of one replica with equal tensor rank
  std::shared_ptr<Communicator> data;      ///< the ranks with the same weights and other samples
  /// All tensor x pipeline ranks of one replica; rank = tensor_rank + T · stage.
  std::shared_ptr<Communicator> replica;
  /// The ranks of the world, for the thread that saves checkpoints: see make_background_group().
  std::shared_ptr<Communicator> saving;

  int stage() const { return pipeline->rank(); }
  bool first_stage() const { return pipeline->rank() == 0; }
  bool last_stage() const { return pipeline->rank() + 1 == pipeline->size(); }
};

/// Collective over `world`, which it takes ownership of. If the compute stream is a device's, the
/// groups move its tensors too. An options.transport of kAuto is resolved once, for all groups.
/// Errors: UsageError if the product of the sizes is not the size of the world; the errors of
/// choose_transport.
Grid make_grid(const GridShape& shape, std::unique_ptr<Communicator> world, const Stream& compute,
               const DeviceOptions& options);
/// The same with default options.
Grid make_grid(const GridShape& shape, std::unique_ptr<Communicator> world,
               const Stream& compute = Stream());

}  // namespace lynceus::parallel
