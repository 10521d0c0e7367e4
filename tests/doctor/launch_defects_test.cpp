// Defects of the launch: each is found by one check, with its remedy.
#include "doctor_run.h"

namespace lynceus::doctor_test {
namespace {

/// Two ranks: the program itself, and one that `other` names after `prepare` has made it.
std::string two_programs(const std::string& prepare, const std::string& other) {
  return fmt::format(
      "program=$1; shift; {}; exec mpirun --oversubscribe -n 1 \"$program\" \"$@\" : "
      "-n 1 {}",
      prepare, other);
}

TEST(LaunchDefects, AnotherProgramOnOneRank) {
  const Folder folder("other_program");
  const std::string copy = folder / "lynceus";
  const Outcome outcome = examine(
      {},
      {.shell = two_programs("cp \"$program\" " + copy + "; echo >> " + copy, copy + " \"$@\"")});
  const CheckResult result = outcome.find("launch.program");
  EXPECT_EQ(result.verdict, Verdict::kCritical);
  EXPECT_THAT(result.where, HasSubstr("rank 1 on "));
  EXPECT_THAT(result.remedy, HasSubstr("one and the same file everywhere"));
  EXPECT_EQ(outcome.faults(), (std::set<std::string>{"launch.program", "network.world"}));
}

TEST(LaunchDefects, AnotherConfigOnOneRank) {
  const Outcome outcome = examine(
      {"--train.seed", "1"}, {.shell = two_programs(":", "\"$program\" \"$@\" --train.steps 77")});
  const CheckResult result = outcome.find("launch.config");
  EXPECT_EQ(result.verdict, Verdict::kCritical);
  EXPECT_THAT(result.measured,
              testing::AllOf(HasSubstr("train.steps"), HasSubstr("77"), HasSubstr("rank 1")));
  EXPECT_THAT(result.remedy, HasSubstr("give all ranks the same options"));
  EXPECT_EQ(outcome.faults(), (std::set<std::string>{"launch.config", "network.world"}));
}

TEST(LaunchDefects, FewerRanksThanTasks) {
  expect_only(examine({}, {.ranks = 2, .environment = {"SLURM_NTASKS=4"}}), "launch.world",
              Verdict::kWarning, "2 ranks, but SLURM_NTASKS=4",
              "as many ranks as the job has tasks");
}

TEST(LaunchDefects, TasksThatDoNotKnowEachOther) {
  expect_only(examine({}, {.environment = {"PMI_SIZE=4"}}), "launch.world", Verdict::kCritical,
              "PMI_SIZE=4", "srun --mpi=pmix");
}

TEST(LaunchDefects, AGridThatDoesNotFit) {
  const Outcome outcome = examine({"--parallel.tensor", "3"}, {.ranks = 2});
  expect_only(outcome, "launch.grid", Verdict::kCritical, "2 ranks for replicas of 3",
              "a multiple of parallel.tensor x parallel.pipeline");
}

TEST(LaunchDefects, TwoRanksOnOneCore) {
  expect_only(examine({}, {.shell = on_ranks(2, "exec taskset -c 0 \"$0\" \"$@\";")}),
              "placement.cores", Verdict::kCritical, "share 1 core", "--bind-to core");
}

TEST(LaunchDefects, MoreThreadsThanCores) {
  const std::string eight_times = "export OMP_NUM_THREADS=$(($(nproc) * 8)); exec \"$@\"";
  expect_only(examine({}, {.ranks = 2, .shell = eight_times}), "placement.threads",
              Verdict::kWarning, " threads on ", "OMP_NUM_THREADS=");
}

TEST(LaunchDefects, RanksOverSeveralNumaDomains) {
  // hwloc then sees two domains of one core each, as this machine has two cores.
  if (sysconf(_SC_NPROCESSORS_ONLN) != 2) GTEST_SKIP() << "made for a machine of two cores";
  expect_only(
      examine({}, {.environment = {"HWLOC_SYNTHETIC=numa:2 core:1 pu:1", "HWLOC_THISSYSTEM=1"},
                   .shell = on_ranks(2, "")}),
      "placement.numa", Verdict::kWarning, "2 NUMA domains", "--map-by numa");
}

TEST(LaunchDefects, WrongUsageIsUnknownForAMonitor) {
  const Output output = cli_test::run({"doctor", "--qick"});
  EXPECT_EQ(output.code, 3) << output.all();
  EXPECT_THAT(output.err, HasSubstr("unknown key 'qick'; the nearest known one is 'quick'"));
}

TEST(LaunchDefects, TheTableNamesTheRemedyBelowTheFinding) {
  const Output output =
      cli_test::run({"doctor", "--quick"}, {.ranks = 2, .environment = {"SLURM_NTASKS=4"}});
  EXPECT_EQ(output.code, 1) << output.all();
  EXPECT_THAT(
      output.out,
      testing::ContainsRegex(
          "launch\n  warning   world .*SLURM_NTASKS=4; expected 4 ranks\n.* remedy: start"));
  EXPECT_THAT(output.out, HasSubstr("\ndoctor: warning (1 warning, "));
}

}  // namespace
}  // namespace lynceus::doctor_test
