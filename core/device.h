// The place of memory and arithmetic.
#pragma once

namespace lynceus {

enum class DeviceKind {
  kCpu,
  kCuda,
  kNone  ///< shapes without memory, for planning
};

struct Device {
  DeviceKind kind = DeviceKind::kCpu;
  int index = 0;

  bool is_cpu() const { return kind == DeviceKind::kCpu; }
  bool has_memory() const { return kind != DeviceKind::kNone; }
  bool operator==(const Device&) const = default;
};

}  // namespace lynceus
