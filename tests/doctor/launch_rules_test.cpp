// The rules about launch and placement, on facts of machines that are not here.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "doctor/launch.h"
#include "doctor/placement.h"

namespace lynceus::doctor {
namespace {

using testing::HasSubstr;

parallel::Environment environment(std::map<std::string, std::string> variables) {
  return [variables = std::move(variables)](const char* name) -> const char* {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  };
}

/// `count` equal ranks on each of `nodes` nodes of four cores and two NUMA domains.
std::vector<Facts> ranks_on(int nodes, int count) {
  std::vector<Facts> ranks;
  for (int node = 0; node < nodes; ++node)
    for (int i = 0; i < count; ++i)
      ranks.push_back({{kNode, "n" + std::to_string(node + 1)},
                       {"program", "0123456789abcdef"},
                       {"version", "lynceus 0.1.0"},
                       {"cores.bound", "0 1 2 3"},
                       {"cores.available", "0 1 2 3"},
                       {"threads", std::to_string(4 / count)},
                       {"threads.variable", ""},
                       {"numa.mine", "0"},
                       {"numa.count", "2"},
                       {"topology", "hwloc"},
                       {"gpus", ""},
                       {"cards", ""},
                       {"on_device", "0"}});
  return ranks;
}

void expect_ok(const CheckResult& result) {
  EXPECT_EQ(result.verdict, Verdict::kOk) << result.check << ": " << result.measured;
  EXPECT_EQ(result.remedy, "");
}

void expect(const CheckResult& result, Verdict verdict, const std::string& measured,
            const std::string& remedy) {
  EXPECT_STREQ(name_of(result.verdict), name_of(verdict)) << result.check;
  EXPECT_THAT(result.measured, HasSubstr(measured));
  EXPECT_THAT(result.remedy, HasSubstr(remedy));
}

TEST(Launch, TheWorldIsWhatTheLauncherSays) {
  expect_ok(check_world(environment({}), 4));
  expect_ok(check_world(environment({{"SLURM_NTASKS", "4"}, {"PMI_SIZE", "4"}}), 4));
  expect(check_world(environment({{"SLURM_NTASKS", "4"}}), 2), Verdict::kWarning,
         "2 ranks, but SLURM_NTASKS=4", "--ntasks");
  expect(check_world(environment({{"PMI_SIZE", "4"}}), 1), Verdict::kCritical,
         "the launcher started several tasks (PMI_SIZE=4)", "srun --mpi=pmix");
}

TEST(Launch, OneProgramEverywhere) {
  std::vector<Facts> ranks = ranks_on(2, 2);
  expect_ok(check_program(ranks));
  ranks[2]["program"] = "fedcba9876543210";
  const CheckResult other = check_program(ranks);
  expect(other, Verdict::kCritical, "digest fedcba987654", "one and the same file");
  EXPECT_EQ(other.where, "rank 2 on n2");
  ranks = ranks_on(2, 2);
  ranks[3]["version"] = "lynceus 0.0.9";
  expect(check_program(ranks), Verdict::kCritical, "lynceus 0.0.9", "one and the same file");
}

TEST(Launch, NodesHaveTheSameNumberOfRanks) {
  std::vector<Facts> ranks = ranks_on(2, 2);
  expect_ok(check_nodes(ranks));
  EXPECT_EQ(check_nodes(ranks).measured, "n1: ranks 0, 1; n2: ranks 2, 3");
  ranks.pop_back();
  expect(check_nodes(ranks), Verdict::kWarning, "n2: rank 2", "--ntasks-per-node");
}

TEST(Launch, TheGridFitsTheRanksAndTheNodes) {
  const std::vector<Facts> ranks = ranks_on(2, 3);
  expect_ok(check_grid(fit_grid(3, 1, 0, 6), ranks));
  expect_ok(check_grid(fit_grid(1, 2, 3, 6), ranks));
  expect(check_grid(fit_grid(4, 1, 0, 6), ranks), Verdict::kCritical, "6 ranks for replicas of 4",
         "a multiple of parallel.tensor x parallel.pipeline");
  expect(check_grid(fit_grid(2, 1, 2, 6), ranks), Verdict::kCritical, "parallel.data = 2", "start");
  expect(check_grid(fit_grid(2, 1, 0, 6), ranks), Verdict::kWarning, "ranks 2 on n1 and 3 on n2",
         "--distribution=block");
  EXPECT_EQ(fit_grid(2, 3, 0, 12).shape.to_string(), "2 tensor x 3 pipeline x 2 data");
}

TEST(Placement, RanksThatShareCores) {
  std::vector<Facts> ranks = ranks_on(1, 2);
  expect_ok(check_shared_cores(ranks));
  ranks[0]["cores.bound"] = ranks[1]["cores.bound"] = "2";
  expect(check_shared_cores(ranks), Verdict::kCritical, "ranks 0, 1 on n1 share 1 core",
         "--bind-to core");
  ranks[0]["cores.available"] = ranks[1]["cores.available"] = "2";
  expect(check_shared_cores(ranks), Verdict::kWarning, "share 1 core", "at most 1 rank");
  // On other nodes the same numbers are other cores.
  ranks = ranks_on(2, 1);
  ranks[0]["cores.bound"] = ranks[1]["cores.bound"] = "2";
  expect_ok(check_shared_cores(ranks));
}

TEST(Placement, UnusedCores) {
  std::vector<Facts> ranks = ranks_on(2, 2);
  expect_ok(check_unused_cores(ranks));
  ranks[2]["cores.bound"] = "0";
  ranks[3]["cores.bound"] = "1";
  expect(check_unused_cores(ranks), Verdict::kWarning, "2 ranks on n2 are bound to 2 of 4 cores",
         "--bind-to none");
}

TEST(Placement, ThreadsFitTheCores) {
  std::vector<Facts> ranks = ranks_on(1, 2);
  expect_ok(check_threads(ranks));
  for (Facts& facts : ranks) facts["threads"] = "8";
  expect(check_threads(ranks), Verdict::kWarning, "16 threads on 4 cores", "OMP_NUM_THREADS=2");
  for (Facts& facts : ranks) facts["threads"] = "1";
  expect_ok(check_threads(ranks));  // a choice of the program
  for (Facts& facts : ranks) facts["threads.variable"] = "OMP_NUM_THREADS";
  expect(check_threads(ranks), Verdict::kWarning, "2 threads on 4 cores", "OMP_NUM_THREADS=2");
  for (Facts& facts : ranks) facts["on_device"] = "1";
  expect_ok(check_threads(ranks));
}

TEST(Placement, RanksStayOnANumaDomain) {
  std::vector<Facts> ranks = ranks_on(1, 2);
  expect_ok(check_numa(ranks));
  ranks[1]["numa.mine"] = "0 1";
  expect(check_numa(ranks), Verdict::kWarning, "rank 1 on n1 may run on 2 NUMA domains",
         "--map-by numa");
  ranks.erase(ranks.begin());  // one rank cannot be on all domains otherwise
  expect_ok(check_numa(ranks));
}

TEST(Placement, GpusAreNearTheirRanks) {
  std::vector<Facts> ranks = ranks_on(1, 2);
  for (Facts& facts : ranks) {
    facts["gpus"] = "GPU 0000:17:00.0@0|GPU 0000:c1:00.0@1";
    facts["cards"] = "mlx5_0@0";
    facts["on_device"] = "1";
  }
  ranks[1]["numa.mine"] = "1";
  expect_ok(check_devices(ranks));
  EXPECT_EQ(check_devices(ranks).measured, "2 GPUs, 1 InfiniBand card (mlx5_0) a node");
  ranks[1]["numa.mine"] = "0";
  expect(check_devices(ranks), Verdict::kWarning, "GPU 0000:c1:00.0 is next to 1",
         "--gpu-bind=closest");
  for (Facts& facts : ranks) facts["on_device"] = "0";
  expect_ok(check_devices(ranks));
}

}  // namespace
}  // namespace lynceus::doctor
