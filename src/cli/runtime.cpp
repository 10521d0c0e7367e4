#include "cli/runtime.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <omp.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <future>
#include <sstream>
#include <thread>
#include <vector>

#include "cli/devices.h"
#include "core/accelerator.h"
#include "core/cores.h"
#include "core/log.h"
#include "kernels/gemm.h"
#include "parallel/agreement.h"
#include "parallel/device_communicator.h"
#include "parallel/launch/launch_environment.h"
#include "parallel/mpi_session.h"

namespace lynceus::cli {
namespace {

/// OpenMP ends the process without a message of ours where the system refuses a thread. So as many
/// threads are asked for first, all at once, and then those of OpenMP are started for good.
void start_threads() {
  std::promise<void> all_started;
  const std::shared_future<void> end = all_started.get_future().share();
  std::vector<std::thread> threads;
  std::exception_ptr refused;
  try {
    for (int i = 1; i < omp_get_max_threads(); ++i) threads.emplace_back([end] { end.wait(); });
  } catch (const std::exception&) {
    refused = std::current_exception();
  }
  all_started.set_value();
  for (std::thread& thread : threads) thread.join();
  if (refused) std::rethrow_exception(refused);
  int started = 0;
#pragma omp parallel reduction(+ : started)
  started += 1;
}

}  // namespace

void share_threads() {
  set_ranks_on_node(parallel::place_on_node().size);
  if (std::getenv("OMP_NUM_THREADS") == nullptr) omp_set_num_threads(cores_of_this_rank());
  start_threads();
}

namespace {

void check_choice(ConfigFaults* faults, const char* key, const std::string& found,
                  std::initializer_list<const char*> known) {
  faults->expect(std::find(known.begin(), known.end(), found) != known.end(), key,
                 fmt::format("{}", fmt::join(known, " or ")), fmt::format("'{}'", found));
}

parallel::DeviceOptions device_options(const DeviceConfig& config) {
  parallel::DeviceOptions options;
  if (config.transport == "nccl") options.transport = parallel::Transport::kNccl;
  if (config.transport == "staged") options.transport = parallel::Transport::kStaged;
  return options;
}

}  // namespace

DType DeviceConfig::dtype(DeviceKind kind) const {
  if (precision == "auto") return kind == DeviceKind::kCuda ? DType::kBf16 : DType::kF32;
  return precision == "bf16" ? DType::kBf16 : DType::kF32;
}

void DeviceConfig::check(ConfigFaults* faults) const {
  check_choice(faults, "device", device, {"auto", "cpu", "cuda"});
  check_choice(faults, "precision", precision, {"auto", "f32", "bf16"});
  check_choice(faults, "transport", transport, {"auto", "nccl", "staged"});
  check_choice(faults, "gemm", gemm, {"heuristic", "search"});
}

void log_cores(parallel::Communicator& world) {
  char name[256] = "";
  gethostname(name, sizeof(name) - 1);
  const bool launched = parallel::is_launched(parallel::process_environment());
  const CoreSet bound = bound_cores();
  const std::string mine =
      fmt::format("{} {} {}|{}", name, omp_get_max_threads(), fmt::join(bound, " "),
                  fmt::join(launched ? available_cores() : bound, " "));
  std::vector<RankCores> ranks;
  for (const std::string& text : world.all_gather(mine)) {
    RankCores rank;
    std::istringstream parts(text);
    parts >> rank.node >> rank.threads;
    for (int core = 0; parts >> core;) rank.bound.push_back(core);
    parts.clear();
    parts.ignore(1, '|');
    for (int core = 0; parts >> core;) rank.available.push_back(core);
    ranks.push_back(std::move(rank));
  }
  if (world.rank() != 0) return;
  log::info("{}", describe_cores(ranks));
  if (const std::string warning = unused_cores(ranks); !warning.empty()) log::warn("{}", warning);
}

std::string describe(const Runtime& rt) {
  const Device device = rt.stream.device();
  const std::string where = device.is_cpu() ? "CPU" : accelerator::device_name(device.index);
  return fmt::format("{} x {}, {}", rt.grid.world->size(), where, name_of(rt.precision));
}

Runtime make_runtime(const train::ParallelConfig& config, const DeviceConfig& device) {
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
          "{} started; a replica needs {} (parallel.tensor {} x parallel.pipeline {}): start {}, "
          "{}, "
          "{} ...",
          world->size() == 1 ? "1 rank was" : fmt::format("{} ranks were", world->size()), replica,
          shape.tensor, shape.pipeline, replica, 2 * replica, 3 * replica);
    shape.data = static_cast<int>(config.data == 0 ? world->size() / replica : config.data);
    if (shape.world() != world->size())
      throw UsageError(
          "parallel.tensor {} x parallel.pipeline {} x parallel.data {} = {} ranks, but "
          "{} were started: change one of the three or start {}",
          shape.tensor, shape.pipeline, shape.data, shape.world(), world->size(), shape.world());
  });
  const Stream stream(choose_device(*world, device.device));
  refuse_lacking_code(*world, stream);
  kernels::search_products(stream, device.gemm == "search");
  log_devices(*world, stream, device.transport);
  auto grid = parallel::make_grid(shape, std::move(world), stream, device_options(device));
  Runtime rt(stream, std::move(grid), device.dtype(stream.device().kind));
  rt.overlap = parallel::parse_overlap(config.overlap);
  return rt;
}

}  // namespace lynceus::cli
