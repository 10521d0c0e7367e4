// The subcommands of `lynceus`, one file each.
#pragma once

#include <string>
#include <vector>

#include "core/config.h"
#include "core/error.h"
#include "parallel/runtime.h"
#include "train/config.h"

namespace lynceus::cli {

/// Arguments behind the subcommand's name -> exit code. Errors are thrown.
using Arguments = std::vector<std::string>;
ExitCode run_prepare(const Arguments& arguments);
ExitCode run_evaluate(const Arguments& arguments);
ExitCode run_export(const Arguments& arguments);
ExitCode run_inspect(const Arguments& arguments);
ExitCode run_train(const Arguments& arguments);
ExitCode run_verify(const Arguments& arguments);

/// Prints the page that the command line asks for, if it does: help, or every value with its
/// origin.
bool print_page(const CommandLine& line, const char* help, const ConfigReader& reader,
                const parallel::Communicator& world);

/// Where the program runs: the options in front of all sections.
struct DeviceConfig {
  std::string device = "auto";
  std::string precision = "f32";
  std::string transport = "auto";
  std::string gemm = "heuristic";

  template <typename Visitor>
  void visit(Visitor& v) {
    v.field("device", device,
            "where arithmetic runs: auto (a GPU where there is one), cpu or cuda");
    v.field("precision", precision, "of activations and frozen weights: f32 or bf16");
    v.field("transport", transport, "how tensors travel between GPUs: auto, nccl or staged");
    v.field("gemm", gemm,
            "how a GPU's library multiplies a shape: heuristic (its guess) or search (the fastest "
            "of several, timed when first seen; last bits may differ from run to run)");
  }
  /// Throws UsageError for a value that is none of these.
  void validate() const;
  DType dtype() const { return precision == "bf16" ? DType::kBf16 : DType::kF32; }
};

/// Gives this rank its share of the node's cores as OpenMP threads, at least one, unless
/// OMP_NUM_THREADS says otherwise. Ranks that the launcher bound to fewer keep those.
void share_threads();

/// The process grid of the config over all ranks that were started, on their devices;
/// parallel.data = 0 becomes what is left of the world. Collective; errors are agreed. UsageError
/// where a device was asked for and a rank has none.
Runtime make_runtime(const train::ParallelConfig& config, const DeviceConfig& device);
/// "2 x NVIDIA H200, bf16", for the log.
std::string describe(const Runtime& rt);

}  // namespace lynceus::cli
