#include "doctor/topology.h"

#include <fmt/format.h>
#include <hwloc.h>

#include <algorithm>

namespace lynceus::doctor {
namespace {

constexpr unsigned kNvidia = 0x10de;      // PCI vendor
constexpr unsigned kDisplayClass = 0x03;  // PCI base class: display and 3D controllers
constexpr unsigned kClassShift = 8;

std::vector<int> numbers_of(hwloc_const_bitmap_t set) {
  std::vector<int> numbers;
  for (int at = hwloc_bitmap_first(set); at >= 0; at = hwloc_bitmap_next(set, at))
    numbers.push_back(at);
  return numbers;
}

std::vector<int> numa_near(hwloc_topology_t topology, hwloc_obj_t device) {
  const hwloc_obj_t host = hwloc_get_non_io_ancestor_obj(topology, device);
  return host == nullptr ? std::vector<int>() : numbers_of(host->nodeset);
}

void add_gpus(hwloc_topology_t topology, std::vector<NearDevice>* devices) {
  hwloc_obj_t pci = nullptr;
  while ((pci = hwloc_get_next_pcidev(topology, pci)) != nullptr) {
    const auto& attributes = pci->attr->pcidev;
    if (attributes.vendor_id != kNvidia || attributes.class_id >> kClassShift != kDisplayClass)
      continue;
    devices->push_back({fmt::format("GPU {:04x}:{:02x}:{:02x}.{:x}", attributes.domain,
                                    attributes.bus, attributes.dev, attributes.func),
                        true, numa_near(topology, pci)});
  }
  std::sort(devices->begin(), devices->end(),
            [](const NearDevice& a, const NearDevice& b) { return a.name < b.name; });
}

void add_network(hwloc_topology_t topology, std::vector<NearDevice>* devices) {
  hwloc_obj_t device = nullptr;
  while ((device = hwloc_get_next_osdev(topology, device)) != nullptr)
    if (device->attr->osdev.type == HWLOC_OBJ_OSDEV_OPENFABRICS)
      devices->push_back({device->name, false, numa_near(topology, device)});
}

}  // namespace

Topology read_topology() {
  Topology result;
  result.source = "hwloc";
  hwloc_topology_t topology = nullptr;
  if (hwloc_topology_init(&topology) != 0) return result;
  // These plug-ins start drivers, which takes long and opens devices.
  for (const char* plugin : {"opencl", "cuda", "nvml", "gl", "rsmi", "levelzero"})
    hwloc_topology_set_components(topology, HWLOC_TOPOLOGY_COMPONENTS_FLAG_BLACKLIST, plugin);
  hwloc_topology_set_io_types_filter(topology, HWLOC_TYPE_FILTER_KEEP_IMPORTANT);
  if (hwloc_topology_load(topology) == 0) {
    hwloc_obj_t core = nullptr;
    while ((core = hwloc_get_next_obj_by_type(topology, HWLOC_OBJ_PU, core)) != nullptr)
      result.numa_of_core[static_cast<int>(core->os_index)] = hwloc_bitmap_first(core->nodeset);
    add_gpus(topology, &result.devices);
    add_network(topology, &result.devices);
  }
  hwloc_topology_destroy(topology);
  return result;
}

}  // namespace lynceus::doctor
