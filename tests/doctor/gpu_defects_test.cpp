// Defects of GPUs, by the stand-in for their library: each is found by one check, with its remedy.
#include "doctor_run.h"

namespace lynceus::doctor_test {
namespace {

Outcome with_gpus(const std::string& defects, const std::string& shell = "") {
  return examine({"--device", "cpu"},
                 {.environment = {"LYNCEUS_NVML=" LYNCEUS_NVML_STANDIN, "NVML_STANDIN=" + defects},
                  .shell = shell});
}

void expect_gpu(const std::string& defect, const std::string& check, Verdict verdict,
                const std::string& measured, const std::string& remedy) {
  const Outcome outcome = with_gpus(defect);
  expect_only(outcome, check, verdict, measured, remedy);
  EXPECT_THAT(outcome.find(check).measured, HasSubstr("GPU 00000000:18:00.0: ")) << defect;
}

TEST(GpuDefects, HealthyGpusAreOk) {
  for (const char* healthy : {"", "nolinks"}) {
    const Outcome outcome = with_gpus(healthy);
    EXPECT_TRUE(outcome.faults().empty()) << outcome.output.all();
    EXPECT_THAT(outcome.find("gpu.library").measured, HasSubstr("2 GPUs"));
  }
}

TEST(GpuDefects, NoLibrary) {
  const Outcome outcome = examine({}, {.environment = {"LYNCEUS_NVML=/nowhere.so"}});
  EXPECT_TRUE(outcome.faults().empty()) << outcome.output.all();
  EXPECT_THAT(outcome.find("gpu.library").measured, HasSubstr("no GPU library"));
}

TEST(GpuDefects, UncorrectedErrors) {
  expect_gpu("ecc", "gpu.memory-errors", Verdict::kCritical, "3 uncorrected ECC errors",
             "leave the node out");
}
TEST(GpuDefects, PendingRowRemap) {
  expect_gpu("pending", "gpu.row-remaps", Verdict::kCritical, "a row remap is pending",
             "--gpu-reset");
}
TEST(GpuDefects, FailedRowRemap) {
  expect_gpu("failed", "gpu.row-remaps", Verdict::kCritical, "a row remap has failed",
             "replace it");
}
TEST(GpuDefects, Throttling) {
  expect_gpu("slow", "gpu.throttling", Verdict::kWarning, "hardware slowdown", "cooling and power");
  expect_gpu("hot", "gpu.throttling", Verdict::kWarning, "too hot", "cooling and power");
}
TEST(GpuDefects, LowClocks) {
  expect_gpu("clocks", "gpu.clocks", Verdict::kWarning, "990 of 1980 MHz", "--reset-gpu-clocks");
  expect_gpu("set", "gpu.clocks", Verdict::kWarning, "set by an administrator",
             "--reset-applications-clocks");
}
TEST(GpuDefects, AForeignProcess) {
  expect_gpu("process", "gpu.processes", Verdict::kWarning, "process 4711", "--exclusive");
}
TEST(GpuDefects, ALinkThatIsDown) {
  expect_gpu("link", "gpu.links", Verdict::kWarning, "17 of 18 NVLinks active",
             "nvidia-fabricmanager");
}
TEST(GpuDefects, ALostGpu) {
  const Outcome outcome = with_gpus("lost");
  const CheckResult result = outcome.find("gpu.answer");
  EXPECT_EQ(result.verdict, Verdict::kCritical);
  EXPECT_THAT(result.measured, HasSubstr("GPU is lost"));
}
TEST(GpuDefects, GpusThatTheProgramDoesNotUse) {
  const Outcome outcome = examine({}, {.environment = {"LYNCEUS_NVML=" LYNCEUS_NVML_STANDIN}});
  expect_only(outcome, "gpu.use", Verdict::kWarning, "the program uses none", "preset cuda");
}

TEST(GpuDefects, AnXidInTheKernelLog) {
  LYNCEUS_NEEDS_MOUNTS;
  const Folder folder("kernel_log");
  std::ofstream(folder / "kmsg")
      << "4,77,5140900,-;NVRM: Xid (PCI:0000:18:00): 79, pid=9, GPU has fallen off the bus.\n";
  const Outcome outcome =
      with_gpus("", with_mounts("mount --bind " + (folder / "kmsg").string() + " /dev/kmsg"));
  expect_only(outcome, "gpu.kernel-log", Verdict::kCritical,
              "Xid (PCI:0000:18:00): 79, pid=9, GPU has fallen off the bus", "report the line");
}

}  // namespace
}  // namespace lynceus::doctor_test
