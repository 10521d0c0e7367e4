// Where a command runs: the threads of a rank, the device, the process grid. Used by every command
// that computes.
#include <omp.h>

#include <algorithm>
#include <cstdlib>
#include <thread>

#include "cli/command.h"

namespace lynceus::cli {

void share_threads() {
  if (std::getenv("OMP_NUM_THREADS") != nullptr) return;
  const int allowed = omp_get_num_procs();
  const int cores = static_cast<int>(std::thread::hardware_concurrency());
  if (allowed < cores) return omp_set_num_threads(allowed);
  const char* local = std::getenv("OMPI_COMM_WORLD_LOCAL_SIZE");
  const int ranks = local == nullptr ? 1 : std::max(1, std::atoi(local));
  omp_set_num_threads(std::max(1, cores / ranks));
}

void DeviceConfig::validate() const {
  if (device == "cuda") throw UsageError("device: cuda is not yet there; expected auto or cpu");
  if (device != "auto" && device != "cpu")
    throw UsageError("device: expected auto or cpu, found '{}'", device);
  if (precision == "bf16") throw UsageError("precision: bf16 is not yet there; expected f32");
  if (precision != "f32") throw UsageError("precision: expected f32, found '{}'", precision);
}

Runtime make_runtime(const ParallelConfig& config) {
  auto world = parallel::make_world();
  parallel::GridShape shape;
  parallel::agree(*world, [&] {
    ConfigFaults faults;
    config.check(&faults);
    faults.raise();
    shape.tensor = static_cast<int>(config.tensor);
    shape.pipeline = static_cast<int>(config.pipeline);
    const int64_t replica = config.tensor * config.pipeline;
    if (config.data == 0 && world->size() % replica != 0)
      throw UsageError(
          "{} ranks do not divide into replicas of parallel.tensor {} x "
          "parallel.pipeline {} = {} ranks: start a multiple of {} ranks",
          world->size(), shape.tensor, shape.pipeline, replica, replica);
    shape.data = static_cast<int>(config.data == 0 ? world->size() / replica : config.data);
    if (shape.world() != world->size())
      throw UsageError(
          "parallel.tensor {} x parallel.pipeline {} x parallel.data {} = {} ranks, but "
          "{} were started: change one of the three or start {}",
          shape.tensor, shape.pipeline, shape.data, shape.world(), world->size(), shape.world());
  });
  return {Stream(), parallel::make_grid(shape, std::move(world))};
}

}  // namespace lynceus::cli
