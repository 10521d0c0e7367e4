// The NUMA domains of this machine, and where its GPUs and network cards are, from hwloc. Without
// hwloc in the build: from /sys, without devices.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace lynceus::doctor {

struct NearDevice {
  std::string name;       ///< "GPU 0000:17:00.0", "mlx5_0"
  bool is_gpu = false;    ///< or a network card
  std::vector<int> numa;  ///< the domains next to it; empty: not known
};

struct Topology {
  std::map<int, int> numa_of_core;  ///< by the system's numbers; empty: not known
  std::vector<NearDevice> devices;  ///< by PCI address
  std::string source;               ///< "hwloc", "/sys"
};

Topology read_topology();

}  // namespace lynceus::doctor
