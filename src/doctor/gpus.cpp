#include "doctor/gpus.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <functional>

#include "core/text/units.h"
#include "doctor/kernel_log.h"

namespace lynceus::doctor {
namespace {

constexpr double kFullClock = 0.9;  // of the largest

/// "GPU 00000000:17:00.0: TEXT; GPU ..." of the GPUs for which `text` says something.
std::string name_faults(const std::vector<GpuState>& gpus,
                        const std::function<std::string(const GpuState&)>& text) {
  std::string all;
  for (const GpuState& gpu : gpus)
    if (const std::string fault = text(gpu); !fault.empty())
      all += fmt::format("{}GPU {}: {}", all.empty() ? "" : "; ", gpu.bus, fault);
  return all;
}

/// A finding with the faults that `text` names.
CheckResult check_each(const char* check, Verdict verdict, const std::vector<GpuState>& gpus,
                       const std::function<std::string(const GpuState&)>& text,
                       const std::string& expected, const std::string& remedy) {
  const std::string faults = name_faults(gpus, text);
  return judged(check, faults.empty() ? Verdict::kOk : verdict, faults.empty() ? expected : faults,
                expected, remedy);
}

std::string throttling_of(const GpuState& gpu) {
  std::vector<const char*> reasons;
  const uint64_t bits = gpu.clock_reasons.value_or(0);
  for (const auto& [bit, reason] : {std::pair{kReasonHardware, "hardware slowdown"},
                                    std::pair{kReasonHardwareThermal, "too hot (hardware)"},
                                    std::pair{kReasonSoftwareThermal, "too hot (driver)"},
                                    std::pair{kReasonPowerBrake, "power brake of the node"}})
    if ((bits & bit) != 0) reasons.push_back(reason);
  return fmt::format("{}", fmt::join(reasons, ", "));
}

std::string low_clock_of(const GpuState& gpu) {
  if (!gpu.clock || !gpu.most_clock || !gpu.clock_reasons) return "";
  // An idle GPU lowers its clocks, and a power cap is where a busy one should be.
  if ((*gpu.clock_reasons & (kReasonIdle | kReasonPowerCap)) != 0 || !throttling_of(gpu).empty())
    return "";
  if (*gpu.clock >= kFullClock * *gpu.most_clock) return "";
  return fmt::format("{} of {} MHz{}", *gpu.clock, *gpu.most_clock,
                     (*gpu.clock_reasons & kReasonSetting) != 0 ? ", set by an administrator" : "");
}

CheckResult check_library(const GpuLibrary& library, const GpuUse& use) {
  constexpr const char* kCheck = "gpu.library";
  if (!library.found)
    return judged(kCheck, use.driver_is_loaded || use.must_have ? Verdict::kWarning : Verdict::kOk,
                  fmt::format("no GPU library ({})", library.name),
                  "the driver's libnvidia-ml.so.1",
                  fmt::format("add the driver's folder to LD_LIBRARY_PATH (in a container: "
                              "--nv, --gpus all), or name the file in {}",
                              kNvmlVariable));
  if (!library.failure.empty())
    return judged(kCheck, use.wants_device ? Verdict::kCritical : Verdict::kOk,
                  fmt::format("{}: {}", library.name, library.failure), "a library that starts",
                  "the driver does not work on this node: `nvidia-smi` says more; leave the node "
                  "out (--exclude)");
  return passed(kCheck,
                fmt::format("{}, {}", library.name, counted(std::ssize(library.gpus), "GPU")));
}

CheckResult check_use(const GpuLibrary& library, const GpuUse& use) {
  constexpr const char* kCheck = "gpu.use";
  const auto gpus = static_cast<int>(library.gpus.size());
  if (!use.wants_device) return passed(kCheck, "not asked for (--device cpu)");
  if (use.visible == 0)
    return judged(kCheck, gpus > 0 || use.must_have ? Verdict::kWarning : Verdict::kOk,
                  fmt::format("the program uses none: {}", use.why_none),
                  fmt::format("{} in use", counted(gpus, "GPU")),
                  "build with the preset cuda, ask for GPUs (--gpus-per-node, with "
                  "--gpu-bind=none), or run with --device cpu");
  return judged(
      kCheck, use.ranks_on_node > use.visible && use.visible > 1 ? Verdict::kWarning : Verdict::kOk,
      fmt::format("{} for {}", counted(use.visible, "GPU"), counted(use.ranks_on_node, "rank")),
      "a GPU for each rank", "start one rank for each GPU: --ntasks-per-node");
}

std::string other_processes(const GpuState& gpu, const GpuUse& use) {
  std::vector<int64_t> others;
  for (const int64_t process : gpu.processes)
    if (std::count(use.own_processes.begin(), use.own_processes.end(), process) == 0)
      others.push_back(process);
  return others.empty() ? "" : fmt::format("process {}", fmt::join(others, ", "));
}

/// Compared with the GPU of the node that has the most: cards without a bridge have none.
CheckResult check_links(const std::vector<GpuState>& gpus) {
  int most = 0;
  for (const GpuState& gpu : gpus) most = std::max(most, gpu.active_links);
  return check_each(
      "gpu.links", Verdict::kWarning, gpus,
      [&](const GpuState& gpu) {
        return gpu.failure.empty() && gpu.active_links < most
                   ? fmt::format("{} of {} NVLinks active", gpu.active_links, most)
                   : "";
      },
      most == 0 ? "no NVLinks" : fmt::format("{} active for each GPU", counted(most, "NVLink")),
      "let the site reset the GPU or restart the fabric manager (nvidia-fabricmanager), and leave "
      "the node out until then (--exclude)");
}

CheckResult check_xids(const std::optional<std::string>& kernel_log) {
  constexpr const char* kCheck = "gpu.kernel-log";
  if (!kernel_log) return passed(kCheck, "the kernel log cannot be read by this user");
  const std::vector<Xid> xids = hardware_xids(*kernel_log);
  return judged(kCheck, xids.empty() ? Verdict::kOk : Verdict::kCritical,
                xids.empty() ? "no Xid of the hardware"
                             : fmt::format("{} of the hardware, the last: {}",
                                           counted(std::ssize(xids), "Xid"), xids.back().line),
                "no Xid of the hardware",
                "leave the node out (--exclude) and report the line to the site");
}

}  // namespace

CheckResults check_gpus(const GpuLibrary& library, const GpuUse& use,
                        const std::optional<std::string>& kernel_log) {
  CheckResults findings = {check_library(library, use)};
  if (!library.found && !use.driver_is_loaded && !use.must_have) return findings;
  findings.push_back(check_use(library, use));
  findings.push_back(check_xids(kernel_log));
  const std::vector<GpuState>& gpus = library.gpus;
  if (gpus.empty()) return findings;
  findings.push_back(check_each(
      "gpu.answer", Verdict::kCritical, gpus, [](const GpuState& gpu) { return gpu.failure; },
      "an answer of each GPU",
      "leave the node out (--exclude); the site must reset the GPU or the node"));
  findings.push_back(check_each(
      "gpu.memory-errors", Verdict::kCritical, gpus,
      [](const GpuState& gpu) {
        const uint64_t errors = gpu.uncorrected_errors.value_or(0);
        return errors == 0 ? "" : counted(static_cast<int64_t>(errors), "uncorrected ECC error");
      },
      "no uncorrected ECC errors",
      "leave the node out (--exclude) until the site has reset or replaced the GPU"));
  findings.push_back(check_each(
      "gpu.row-remaps", Verdict::kCritical, gpus,
      [](const GpuState& gpu) {
        if (gpu.remap_has_failed) return "a row remap has failed";
        return gpu.remap_is_pending ? "a row remap is pending" : "";
      },
      "no pending row remaps",
      "the GPU must be reset before it is used: nvidia-smi --gpu-reset, by the site; replace it if "
      "the remap has failed"));
  findings.push_back(check_each("gpu.throttling", Verdict::kWarning, gpus, throttling_of,
                                "no slowdown",
                                "let the site look at cooling and power of the node; leave it out "
                                "until then (--exclude): the slowest GPU sets the pace of all"));
  findings.push_back(check_each("gpu.clocks", Verdict::kWarning, gpus, low_clock_of, "full clocks",
                                "nvidia-smi --reset-gpu-clocks and --reset-applications-clocks, by "
                                "the site"));
  findings.push_back(check_each(
      "gpu.processes", Verdict::kWarning, gpus,
      [&](const GpuState& gpu) { return other_processes(gpu, use); }, "no other processes",
      "end them if they are yours (a former job that hangs); otherwise ask for whole nodes "
      "(--exclusive) or leave the node out (--exclude)"));
  findings.push_back(check_links(gpus));
  return findings;
}

}  // namespace lynceus::doctor
