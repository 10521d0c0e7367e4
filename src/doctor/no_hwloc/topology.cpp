#include "doctor/topology.h"

#include <filesystem>
#include <system_error>

namespace lynceus::doctor {

Topology read_topology() {
  namespace fs = std::filesystem;
  Topology topology;
  topology.source = "/sys";
  std::error_code ignored;
  // node0/cpu3 is a link to the core 3 of the domain 0.
  for (const auto& node : fs::directory_iterator("/sys/devices/system/node", ignored)) {
    const std::string name = node.path().filename();
    if (!name.starts_with("node") || name.find_first_of("0123456789") != 4) continue;
    for (const auto& core : fs::directory_iterator(node.path(), ignored)) {
      const std::string entry = core.path().filename();
      if (entry.starts_with("cpu") && entry.find_first_not_of("0123456789", 3) == std::string::npos)
        topology.numa_of_core[std::stoi(entry.substr(3))] = std::stoi(name.substr(4));
    }
  }
  return topology;
}

}  // namespace lynceus::doctor
