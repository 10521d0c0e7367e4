// Errors of GPUs (Xid) in the kernel's log.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace lynceus::doctor {

struct Xid {
  int number = 0;
  std::string device;  ///< "PCI:0000:17:00"
  std::string line;    ///< of the log, from "NVRM:" on
};

/// The Xids in the text of a log that say that the hardware or its link failed, in order. Those
/// that programs cause (13, 31, 43, 45, 68) are left out. Numbers: NVIDIA, "XID Errors", r555.
std::vector<Xid> hardware_xids(const std::string& log);

/// The kernel's log, which only root may read on many systems; nullopt: it cannot be read.
std::optional<std::string> read_kernel_log(const char* device = "/dev/kmsg");

}  // namespace lynceus::doctor
