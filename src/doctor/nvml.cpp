#include "doctor/nvml.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <cstdlib>

namespace lynceus::doctor {
namespace {

// nvml.h: nvmlReturn_t and the enumerations are ints, nvmlDevice_t is a pointer.
using Return = int;
using Handle = void*;
constexpr Return kSuccess = 0;
constexpr int kUncorrected = 1,
              kSinceDriverLoad = 0;         // nvmlMemoryErrorType_t, nvmlEccCounterType_t
constexpr int kClockOfMultiprocessors = 1;  // nvmlClockType_t
constexpr unsigned kMostLinks = 36, kMostProcesses = 128, kNameBytes = 96;

/// nvmlPciInfo_t.
struct PciInfo {
  char legacy_bus[16];
  unsigned domain, bus, device, device_id, subsystem_id;
  char bus_id[32];
};

/// nvmlProcessInfo_t of nvmlDeviceGetComputeRunningProcesses_v2 and _v3.
struct ProcessInfo {
  unsigned pid;
  unsigned long long memory;
  unsigned gpu_instance, compute_instance;
};

class Library {
 public:
  explicit Library(const std::string& name)
      : handle_(dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL)) {}
  ~Library() {
    if (handle_ != nullptr) dlclose(handle_);
  }
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;
  bool is_open() const { return handle_ != nullptr; }

  /// Calls the function of that name. An older library may lack it: then kMissing.
  template <typename... Arguments>
  Return call(const char* name, Arguments... arguments) const {
    using Function = Return (*)(Arguments...);
    const auto function = reinterpret_cast<Function>(dlsym(handle_, name));
    return function == nullptr ? kMissing : function(arguments...);
  }
  std::string text_of(Return code) const {
    if (code == kMissing) return "the library is too old";
    using Function = const char* (*)(Return);
    const auto function = reinterpret_cast<Function>(dlsym(handle_, "nvmlErrorString"));
    return function == nullptr ? fmt::format("error {}", code) : function(code);
  }

 private:
  static constexpr Return kMissing = -1;
  void* handle_;
};

template <typename Value, typename... Arguments>
std::optional<Value> ask(const Library& nvml, const char* name, Arguments... arguments) {
  Value value{};
  if (nvml.call(name, arguments..., &value) != kSuccess) return std::nullopt;
  return value;
}

void read_processes(const Library& nvml, Handle gpu, GpuState* state) {
  ProcessInfo found[kMostProcesses];
  for (const char* name :
       {"nvmlDeviceGetComputeRunningProcesses_v3", "nvmlDeviceGetComputeRunningProcesses_v2"}) {
    unsigned count = kMostProcesses;
    if (nvml.call(name, gpu, &count, &found[0]) != kSuccess) continue;
    for (unsigned i = 0; i < count; ++i) state->processes.push_back(found[i].pid);
    return;
  }
}

void read_links(const Library& nvml, Handle gpu, GpuState* state) {
  for (unsigned link = 0; link < kMostLinks; ++link) {
    const auto active = ask<int>(nvml, "nvmlDeviceGetNvLinkState", gpu, link);
    if (!active) continue;
    ++state->links;
    state->active_links += *active != 0 ? 1 : 0;
  }
}

GpuState read_gpu(const Library& nvml, unsigned index) {
  GpuState state;
  Handle gpu = nullptr;
  const Return code = nvml.call("nvmlDeviceGetHandleByIndex_v2", index, &gpu);
  state.bus = fmt::format("number {}", index);
  if (code != kSuccess) {
    state.failure = nvml.text_of(code);
    return state;
  }
  char name[kNameBytes] = "";
  if (nvml.call("nvmlDeviceGetName", gpu, &name[0], kNameBytes) == kSuccess) state.name = name;
  if (const auto pci = ask<PciInfo>(nvml, "nvmlDeviceGetPciInfo_v3", gpu)) state.bus = pci->bus_id;
  state.uncorrected_errors = ask<unsigned long long>(nvml, "nvmlDeviceGetTotalEccErrors", gpu,
                                                     kUncorrected, kSinceDriverLoad);
  unsigned corrected = 0, uncorrected = 0, pending = 0, failed = 0;
  if (nvml.call("nvmlDeviceGetRemappedRows", gpu, &corrected, &uncorrected, &pending, &failed) ==
      kSuccess) {
    state.remap_is_pending = pending != 0;
    state.remap_has_failed = failed != 0;
  } else {  // before Ampere
    state.remap_is_pending =
        ask<int>(nvml, "nvmlDeviceGetRetiredPagesPendingStatus", gpu).value_or(0) != 0;
  }
  state.clock_reasons =
      ask<unsigned long long>(nvml, "nvmlDeviceGetCurrentClocksThrottleReasons", gpu);
  state.clock = ask<unsigned>(nvml, "nvmlDeviceGetClockInfo", gpu, kClockOfMultiprocessors);
  state.most_clock = ask<unsigned>(nvml, "nvmlDeviceGetMaxClockInfo", gpu, kClockOfMultiprocessors);
  read_processes(nvml, gpu, &state);
  read_links(nvml, gpu, &state);
  return state;
}

}  // namespace

GpuLibrary read_gpus() {
  GpuLibrary result;
  const char* other = std::getenv(kNvmlVariable);
  result.name = other == nullptr ? "libnvidia-ml.so.1" : other;
  const Library nvml(result.name);
  result.found = nvml.is_open();
  if (!result.found) return result;
  unsigned count = 0;
  Return code = nvml.call("nvmlInit_v2");
  if (code == kSuccess) code = nvml.call("nvmlDeviceGetCount_v2", &count);
  if (code != kSuccess) {
    result.failure = nvml.text_of(code);
    return result;
  }
  for (unsigned index = 0; index < count; ++index) result.gpus.push_back(read_gpu(nvml, index));
  nvml.call("nvmlShutdown");
  return result;
}

}  // namespace lynceus::doctor
