/* Stands in for NVIDIA's libnvidia-ml.so: LYNCEUS_NVML names the built file. It has as many GPUs as
   NVML_STANDIN_GPUS says (default 2), all of them healthy and idle, except for the defects of GPU 1
   that NVML_STANDIN lists, separated by commas:

     ecc        3 uncorrected errors        pending   a row remap is pending
     failed     a row remap has failed      slow      the hardware lowers the clocks
     hot        too hot                     clocks    half the clocks without a reason
     set        half the clocks, as set     process   process 4711 computes on it
     link       one NVLink is down          lost      it does not answer
     nolinks    no GPU has NVLinks          broken    the library does not start

   The interface: NVML API Reference Guide, docs.nvidia.com/deploy/nvml-api. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { kSuccess = 0, kNotSupported = 3, kDriverNotLoaded = 9, kGpuIsLost = 15, kLinks = 18 };
enum { kIdle = 1, kSetting = 2, kHardware = 8, kSoftwareThermal = 0x20 };

struct pci_info {
  char legacy_bus[16];
  unsigned domain, bus, device, device_id, subsystem_id;
  char bus_id[32];
};
struct process_info {
  unsigned pid;
  unsigned long long memory;
  unsigned gpu_instance, compute_instance;
};

/* A handle is the address of one of these. */
static unsigned gpus[16];

static int asked(const char* defect) {
  const char* list = getenv("NVML_STANDIN");
  const size_t length = strlen(defect);
  while (list != NULL && *list != 0) {
    const size_t next = strcspn(list, ",");
    if (next == length && strncmp(list, defect, length) == 0) return 1;
    list += next + (list[next] == ',');
  }
  return 0;
}
static int has(const void* gpu, const char* defect) {
  return *(const unsigned*)gpu == 1 && asked(defect);
}

int nvmlInit_v2(void) { return asked("broken") ? kDriverNotLoaded : kSuccess; }
int nvmlShutdown(void) { return kSuccess; }
const char* nvmlErrorString(int code) {
  switch (code) {
    case kDriverNotLoaded:
      return "Driver Not Loaded";
    case kGpuIsLost:
      return "GPU is lost";
    default:
      return "Not Supported";
  }
}

int nvmlDeviceGetCount_v2(unsigned* count) {
  const char* text = getenv("NVML_STANDIN_GPUS");
  *count = text == NULL ? 2 : (unsigned)atoi(text);
  return kSuccess;
}
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void** gpu) {
  gpus[index] = index;
  *gpu = &gpus[index];
  return has(*gpu, "lost") ? kGpuIsLost : kSuccess;
}
int nvmlDeviceGetName(void* gpu, char* name, unsigned length) {
  (void)gpu;
  snprintf(name, length, "Stand-in");
  return kSuccess;
}
int nvmlDeviceGetPciInfo_v3(void* gpu, struct pci_info* pci) {
  memset(pci, 0, sizeof(*pci));
  snprintf(pci->bus_id, sizeof(pci->bus_id), "00000000:%02X:00.0", 0x17 + *(unsigned*)gpu);
  return kSuccess;
}
int nvmlDeviceGetTotalEccErrors(void* gpu, int type, int counter, unsigned long long* errors) {
  *errors = type == 1 && counter == 0 && has(gpu, "ecc") ? 3 : 0;
  return kSuccess;
}
int nvmlDeviceGetRemappedRows(void* gpu, unsigned* corrected, unsigned* uncorrected,
                              unsigned* pending, unsigned* failed) {
  *corrected = *uncorrected = 0;
  *pending = (unsigned)has(gpu, "pending");
  *failed = (unsigned)has(gpu, "failed");
  return kSuccess;
}
int nvmlDeviceGetCurrentClocksThrottleReasons(void* gpu, unsigned long long* reasons) {
  *reasons = kIdle;
  if (has(gpu, "clocks")) *reasons = 0;
  if (has(gpu, "set")) *reasons = kSetting;
  if (has(gpu, "slow")) *reasons = kHardware;
  if (has(gpu, "hot")) *reasons = kSoftwareThermal;
  return kSuccess;
}
int nvmlDeviceGetClockInfo(void* gpu, int type, unsigned* clock) {
  (void)gpu;
  *clock = 990;
  return type == 1 ? kSuccess : kNotSupported;
}
int nvmlDeviceGetMaxClockInfo(void* gpu, int type, unsigned* clock) {
  (void)gpu;
  *clock = 1980;
  return type == 1 ? kSuccess : kNotSupported;
}
int nvmlDeviceGetComputeRunningProcesses_v3(void* gpu, unsigned* count,
                                            struct process_info* processes) {
  *count = (unsigned)has(gpu, "process");
  if (*count > 0) processes[0] = (struct process_info){4711, 1 << 30, 0xffffffff, 0xffffffff};
  return kSuccess;
}
int nvmlDeviceGetNvLinkState(void* gpu, unsigned link, int* active) {
  if (link >= kLinks || asked("nolinks")) return kNotSupported;
  *active = !(link == 4 && has(gpu, "link"));
  return kSuccess;
}
