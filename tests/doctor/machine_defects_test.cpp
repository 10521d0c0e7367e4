// Defects of limits, memory, clocks and jobs: each is found by one check, with its remedy.
#include "core/text/utc.h"
#include "doctor_run.h"

namespace lynceus::doctor_test {
namespace {

TEST(MachineDefects, LittleLockedMemory) {
  const Outcome outcome = examine({}, {.shell = on_ranks(2, "ulimit -l 64;")});
  expect_only(outcome, "limits.locked-memory", Verdict::kWarning, "64.0 KiB",
              "ulimit -l unlimited");
  EXPECT_EQ(outcome.find("limits.locked-memory").where, "");
}

TEST(MachineDefects, FewOpenFilesOnOneRank) {
  const Outcome outcome =
      examine({}, {.shell = on_ranks(2, "[ $OMPI_COMM_WORLD_RANK -eq 1 ] && ulimit -n 100;")});
  expect_only(outcome, "limits.open-files", Verdict::kWarning, "100", "ulimit -n 4096");
  EXPECT_THAT(outcome.find("limits.open-files").where, HasSubstr("rank 1 on "));
}

TEST(MachineDefects, ASmallStack) {
  expect_only(examine({}, {.shell = "ulimit -s 512; exec \"$@\""}), "limits.stack",
              Verdict::kWarning, "512.0 KiB", "ulimit -s 8192");
}

TEST(MachineDefects, LittleSharedMemory) {
  LYNCEUS_NEEDS_MOUNTS;
  // One rank: more would not start.
  expect_only(examine({}, {.shell = with_mounts("mount -t tmpfs -o size=1M none /dev/shm")}),
              "limits.shared-memory", Verdict::kCritical, "1.0 MiB in /dev/shm",
              "mount a larger /dev/shm");
}

const Arguments kVicuna = {"--config", "lynx-vicuna-7b"};

TEST(MachineDefects, LessAddressSpaceThanTheModelNeeds) {
  // About 12 GiB.
  const Arguments small = kVicuna + Arguments{"--model.num_layers", "4", "--precision", "bf16"};
  expect_only(examine(small, {.shell = "ulimit -v 8000000; exec \"$@\""}), "limits.memory",
              Verdict::kCritical, "at least", "--train.recompute layer");
}

TEST(MachineDefects, AControlGroupBelowTheModelsNeed) {
  LYNCEUS_NEEDS_MOUNTS;
  const Folder folder("cgroup");
  std::ofstream(folder / "memory.max") << "1073741824\n";
  std::ofstream(folder / "membership") << "0::/\n";
  const std::string mounts =
      fmt::format("mount --bind {0} /sys/fs/cgroup && mount --bind {0}/membership /proc/$$/cgroup",
                  folder.path().string());
  const Outcome outcome = examine(kVicuna, {.shell = with_mounts(mounts)});
  const CheckResult result = outcome.find("limits.memory");
  EXPECT_EQ(result.verdict, Verdict::kCritical) << outcome.output.all();
  EXPECT_THAT(result.expected, HasSubstr("1.0 GiB (the control group's limit)"));
  EXPECT_THAT(result.remedy, HasSubstr("ask for more (--mem"));
}

TEST(MachineDefects, LessMemoryInTheJobThanTheModelNeeds) {
  const Outcome outcome = examine(kVicuna, {.environment = {"SLURM_MEM_PER_NODE=2048"}});
  expect_only(outcome, "limits.memory", Verdict::kCritical, "at least", "ask for more (--mem");
  EXPECT_THAT(outcome.find("limits.memory").expected, HasSubstr("2.0 GiB (the job's --mem)"));
}

TEST(MachineDefects, AClockThatIsWrong) {
  const Outcome outcome = examine({}, {.ranks = 2, .environment = defect("clock", 1)});
  expect_only(outcome, "limits.clocks", Verdict::kCritical, "s ahead of rank 0", "chrony");
  EXPECT_THAT(outcome.find("limits.clocks").measured, HasSubstr("rank 1 on "));
}

TEST(MachineDefects, AJobThatEndsTooSoon) {
  const auto ends_in = [](double seconds) {
    return fmt::format("LYNCEUS_JOB_END={:.0f}", unix_now() + seconds);
  };
  const Launch soon{.environment = {ends_in(120)}};
  expect_only(examine({}, soon), "limits.job-end", Verdict::kWarning, "LYNCEUS_JOB_END", "--time");
  const Launch over{.environment = {ends_in(-60)}};
  expect_only(examine({}, over), "limits.job-end", Verdict::kCritical, "ago", "--time");
}

TEST(MachineDefects, AnEndThatOnlySlurmKnows) {
  const Folder folder("scontrol");
  std::ofstream(folder / "scontrol")
      << "#!/bin/sh\necho \"JobId=$3 StartTime=2026-01-01T00:00:00 "
         "EndTime=$(date -d '+2 hours' +%Y-%m-%dT%H:%M:%S) Deadline=N/A\"\n";
  fs::permissions(folder / "scontrol", fs::perms::owner_all);
  const std::string with_scontrol =
      fmt::format("export PATH={}:$PATH; exec \"$@\"", folder.path().string());
  expect_only(examine({}, {.environment = {"SLURM_JOB_ID=7"}, .shell = with_scontrol}),
              "limits.job-end", Verdict::kWarning, "the run does not know it",
              "export LYNCEUS_JOB_END=");
}

TEST(MachineDefects, AConfigThatDoesNotFit) {
  expect_only(examine(kVicuna + Arguments{"--parallel.layers", "40"}, {}), "config.model",
              Verdict::kCritical, "parallel.layers", "--print-config");
}

}  // namespace
}  // namespace lynceus::doctor_test
