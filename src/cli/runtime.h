// What a command computes on: the threads of a rank, its device, the process grid.
#pragma once

#include <string>

#include "core/dtype.h"
#include "parallel/runtime.h"
#include "train/config.h"

namespace lynceus::cli {

/// Options outside all sections.
struct DeviceConfig {
  std::string device = "auto";
  std::string precision = "auto";
  std::string transport = "auto";
  std::string gemm = "heuristic";

  template <typename Visitor>
  void visit(Visitor& v) {
    v.field("device", device,
            "device to compute on: auto (GPUs if every rank has one), cpu or cuda");
    v.field("precision", precision,
            "of activations and frozen weights: f32, bf16 or auto (bf16 on GPUs, f32 on CPUs)");
    v.field("transport", transport,
            "how GPUs exchange tensors: auto, nccl or staged (through MPI)");
    v.field(
        "gemm", gemm,
        "how matrix products on GPUs choose an algorithm: heuristic, or search (time several at "
        "the first use of a shape; the last bits may differ from run to run)");
  }
  void check(ConfigFaults* faults) const;
  DType dtype(DeviceKind kind) const;
};

/// Sets the number of OpenMP threads to this rank's share of the node's cores, at least one, unless
/// OMP_NUM_THREADS is set. A rank that the launcher bound to fewer cores uses those. Starts them.
/// Collective over the world. std::system_error if the system refuses a thread.
void share_threads();
/// Collective: logs the cores and threads of each rank, and a warning where the launcher's binding
/// leaves cores of a node unused.
void log_cores(parallel::Communicator& world);

/// The process grid of the config over all ranks, each with its device. parallel.data = 0 becomes
/// the number of ranks / (tensor * pipeline). Collective; errors are agreed. UsageError if the grid
/// does not fit the number of ranks, or if `device` is cuda and a rank has no GPU.
Runtime make_runtime(const train::ParallelConfig& config, const DeviceConfig& device);
/// "2 x NVIDIA H200, bf16", for the log.
std::string describe(const Runtime& rt);

}  // namespace lynceus::cli
