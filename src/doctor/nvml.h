// NVML, NVIDIA's library for the state of GPUs, opened while the program runs: nothing is linked.
// The functions and types are declared here by their public binary interface, as described in the
// "NVML API Reference Guide" (docs.nvidia.com/deploy/nvml-api; functions of CUDA 11 and later).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace lynceus::doctor {

/// One GPU. nullopt: the driver or the GPU does not say it.
struct GpuState {
  std::string name, bus;                       ///< "NVIDIA H200", "00000000:17:00.0"
  std::string failure;                         ///< why it does not answer; empty: it does
  std::optional<uint64_t> uncorrected_errors;  ///< of ECC, since the driver was loaded
  bool remap_is_pending = false, remap_has_failed = false;
  std::optional<uint64_t> clock_reasons;      ///< bits, kReason...
  std::optional<unsigned> clock, most_clock;  ///< of the multiprocessors, MHz
  std::vector<int64_t> processes;             ///< that compute on it
  int active_links = 0, links = 0;            ///< NVLinks
};

// Why the clocks are what they are: nvmlDeviceGetCurrentClocksThrottleReasons.
constexpr uint64_t kReasonIdle = 0x1;
constexpr uint64_t kReasonSetting = 0x2;
constexpr uint64_t kReasonPowerCap = 0x4;
constexpr uint64_t kReasonHardware = 0x8;
constexpr uint64_t kReasonSoftwareThermal = 0x20;
constexpr uint64_t kReasonHardwareThermal = 0x40;
constexpr uint64_t kReasonPowerBrake = 0x80;

struct GpuLibrary {
  std::string name;  ///< of the file that was opened, or tried
  bool found = false;
  std::string failure;  ///< of its start; empty: it works
  std::vector<GpuState> gpus;
};

/// The variable that names another library than libnvidia-ml.so.1.
constexpr const char* kNvmlVariable = "LYNCEUS_NVML";
/// Asks for all GPUs of this machine.
GpuLibrary read_gpus();

}  // namespace lynceus::doctor
