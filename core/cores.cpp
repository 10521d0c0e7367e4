#include "core/cores.h"

#include <sched.h>

#include <algorithm>
#include <cstdlib>
#include <thread>

namespace lynceus {
namespace {

constexpr int kCoresPerDecoder = 8;
constexpr int kMostDecoders = 8;

int node_cores() { return static_cast<int>(std::thread::hardware_concurrency()); }

int allowed_cores() {
  cpu_set_t cores;
  return sched_getaffinity(0, sizeof(cores), &cores) == 0 ? CPU_COUNT(&cores) : node_cores();
}

}  // namespace

int cores_of_rank(int allowed, int node_cores, int ranks_on_node) {
  const int share = node_cores / std::max(1, ranks_on_node);
  return std::max(1, std::min(allowed, share));
}

int cores_of_this_rank() {
  const char* local = std::getenv("OMPI_COMM_WORLD_LOCAL_SIZE");
  return cores_of_rank(allowed_cores(), node_cores(), local == nullptr ? 1 : std::atoi(local));
}

int decode_threads(int cores, bool on_device) {
  return std::clamp(on_device ? cores - 1 : cores / kCoresPerDecoder, 1, kMostDecoders);
}

}  // namespace lynceus
