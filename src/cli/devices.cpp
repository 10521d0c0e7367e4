#include "cli/devices.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <vector>

#include "core/accelerator.h"
#include "core/error.h"
#include "core/log.h"
#include "kernels/device_code.h"
#include "parallel/agreement.h"
#include "parallel/device_communicator.h"
#include "parallel/mpi_session.h"
#include "parallel/nccl_transport.h"

namespace lynceus::cli {
namespace {

/// `reasons`: for each rank why it has no device; empty if it has one.
void log_why_on_cpus(const parallel::Communicator& world, const std::vector<std::string>& reasons) {
  if (world.rank() != 0) return;
  const auto lacks = [](const std::string& reason) { return !reason.empty(); };
  const auto first = std::find_if(reasons.begin(), reasons.end(), lacks);
  const auto lacking = std::count_if(reasons.begin(), reasons.end(), lacks);
  if (lacking < static_cast<std::ptrdiff_t>(reasons.size()))
    log::warn(
        "device: all ranks compute on CPUs, because {} of {} have no GPU; the first of them is "
        "rank {}: {}",
        lacking, reasons.size(), first - reasons.begin(), *first);
  else if (accelerator::is_built())
    log::info("device: no GPU ({})", *first);
}

std::string host_name() {
  char name[256] = "";
  gethostname(name, sizeof(name) - 1);
  return name;
}

/// "NUMA node 1"; empty where the system does not say.
std::string numa_node_of(int device) {
  std::ifstream file("/sys/bus/pci/devices/" + accelerator::pci_address(device) + "/numa_node");
  int node = -1;
  return file >> node && node >= 0 ? fmt::format(", NUMA node {}", node) : "";
}

}  // namespace

Device choose_device(parallel::Communicator& world, const std::string& wanted) {
  if (wanted == "cpu") return {};
  const int count = accelerator::device_count();
  parallel::agree(world, [&] {
    if (count > 0) return;
    if (wanted == "cuda")
      throw UsageError("device: cuda was asked for, but {}", accelerator::why_no_device());
    if (accelerator::device_is_unusable())
      throw UsageError(
          "device: {} has a GPU that CUDA cannot use: {}. Expected a working driver; --device cpu "
          "computes on CPUs",
          host_name(), accelerator::why_no_device());
  });
  const auto reasons = world.all_gather(count == 0 ? accelerator::why_no_device() : "");
  if (std::any_of(reasons.begin(), reasons.end(), [](const auto& why) { return !why.empty(); })) {
    log_why_on_cpus(world, reasons);
    return {};
  }
  // A launcher shows each rank either its own device only, or all devices of the node.
  const int index = count == 1 ? 0 : parallel::place_on_node().rank % count;
  return {DeviceKind::kCuda, index};
}

void refuse_lacking_code(parallel::Communicator& world, const Stream& stream) {
  parallel::agree(world, [&] {
    if (const std::string lacking = kernels::lacking_device_code(stream); !lacking.empty())
      throw UsageError("device: this program has no code for the {} of {}: {}",
                       accelerator::device_name(stream.device().index), host_name(), lacking);
  });
}

void log_devices(parallel::Communicator& world, const Stream& stream, const std::string& wanted) {
  if (stream.device().is_cpu()) return;
  const int index = stream.device().index;
  const auto hosts = world.all_gather(host_name());
  const auto devices = world.all_gather(
      fmt::format("rank {} on {} (GPU-{}{})", world.rank(), accelerator::device_name(index),
                  accelerator::device_identity(index), numa_node_of(index)));
  const bool through_host = wanted == "auto" && world.size() > 1 &&
                            choose_transport(world, stream.device(), parallel::Transport::kAuto) ==
                                parallel::Transport::kStaged;
  if (world.rank() != 0) return;
  log::info("device code: {}", kernels::device_code(stream));
  std::map<std::string, std::vector<std::string>> nodes;
  for (size_t rank = 0; rank < hosts.size(); ++rank) nodes[hosts[rank]].push_back(devices[rank]);
  for (const auto& [host, here] : nodes) log::info("{}: {}", host, fmt::join(here, ", "));
  if (through_host)
    log::warn("transport: GPUs exchange tensors through host memory, which is slow, because {}",
              parallel::nccl_is_built() ? "ranks share a GPU: start one rank for each"
                                        : "this program was built without NCCL");
}

}  // namespace lynceus::cli
