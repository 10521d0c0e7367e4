// The health of the GPUs of a node.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "doctor/check_result.h"
#include "doctor/nvml.h"

namespace lynceus::doctor {

/// What the program does on the node.
struct GpuUse {
  bool wants_device = true;   ///< unless --device cpu
  bool must_have = false;     ///< --device cuda
  int visible = 0;            ///< GPUs that the program can use
  std::string why_none = {};  ///< if `visible` is 0
  int ranks_on_node = 1;
  std::vector<int64_t> own_processes = {};  ///< of the ranks on the node
  bool driver_is_loaded = false;            ///< /proc/driver/nvidia exists
};

/// `kernel_log`: nullopt if it cannot be read.
CheckResults check_gpus(const GpuLibrary& library, const GpuUse& use,
                        const std::optional<std::string>& kernel_log);

}  // namespace lynceus::doctor
