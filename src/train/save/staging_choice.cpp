#include "train/save/staging_choice.h"

#include <fmt/format.h>

#include "core/log.h"
#include "core/process/free_memory.h"
#include "core/text/units.h"
#include "parallel/agreement.h"
#include "parallel/mpi_session.h"

namespace lynceus::train {
namespace {

constexpr double kMiB = 1024 * 1024;
constexpr uint64_t kShareOfFree = 2;  // snapshots may take this part of the free memory

/// Of the snapshots of all ranks on this rank's node.
uint64_t bytes_on_node(const Runtime& rt, uint64_t bytes, const std::vector<std::string>& nodes) {
  parallel::Communicator& world = *rt.grid.world;
  const std::vector<std::string> all = world.all_gather(fmt::format("{}", bytes));
  uint64_t sum = 0;
  for (size_t rank = 0; rank < all.size(); ++rank)
    if (nodes.at(rank) == nodes.at(static_cast<size_t>(world.rank())))
      sum += std::stoull(all[rank]);
  return sum;
}

/// Why this rank's snapshot cannot be staged; empty: it can.
std::string reason_against(const CheckpointConfig& config, uint64_t bytes, uint64_t on_node) {
  if (const auto given = config.given_staging_mib()) {
    if (static_cast<double>(bytes) <= *given * kMiB) return "";
    return fmt::format("a snapshot takes {} on it, more than checkpoint.staging_mib = {}",
                       bytes_text(bytes), config.staging_mib);
  }
  const uint64_t free = free_memory_bytes();
  if (free == 0 || on_node <= free / kShareOfFree) return "";
  return fmt::format(
      "the snapshots of its node take {}, more than half of the {} of memory that are free there "
      "(checkpoint.staging_mib = auto)",
      bytes_text(on_node), bytes_text(free));
}

std::optional<io::StagingMemory> none(const std::string& reason) {
  log::info("training waits while a checkpoint is written: {}", reason);
  return std::nullopt;
}

}  // namespace

std::optional<io::StagingMemory> choose_staging(const Runtime& rt, const CheckpointConfig& config,
                                                uint64_t bytes,
                                                const std::vector<std::string>& nodes) {
  parallel::Communicator& world = *rt.grid.world;
  if (config.given_staging_mib() == 0.0) return none("checkpoint.staging_mib is 0");
  std::string reason;
  if (!parallel::several_threads_communicate())
    reason = "its MPI library does not let two threads communicate (MPI_THREAD_MULTIPLE)";
  const uint64_t on_node = bytes_on_node(rt, bytes, nodes);
  if (reason.empty()) reason = reason_against(config, bytes, on_node);
  reason = parallel::agreed_failure(world, reason);
  if (!reason.empty()) return none(reason);
  std::optional<io::StagingMemory> memory;
  reason = parallel::agreed_failure(
      world, parallel::failure_of([&] { memory.emplace(rt.stream, bytes); }));
  if (!reason.empty()) return none(reason);
  const auto most = static_cast<uint64_t>(
      world.all_reduce(static_cast<int64_t>(bytes), parallel::ReduceOp::kMax));
  log::info(
      "checkpoints are written while training goes on, from a snapshot of at most {} on a rank "
      "(checkpoint.staging_mib)",
      bytes_text(most));
  return memory;
}

}  // namespace lynceus::train
