// Which environments mean that a launcher started several tasks that MPI does not see.
#include "parallel/launch/launch_environment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace lynceus::parallel {
namespace {

using testing::HasSubstr;
using Variables = std::map<std::string, std::string>;

Environment of(const Variables& variables) {
  return [variables](const char* name) {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  };
}

std::string lost(const Variables& variables, int world_size = 1) {
  return lost_world(of(variables), world_size);
}

TEST(LaunchEnvironment, SeveralTasksWithAWorldOfOneAreLost) {
  const Variables several[] = {
      {{"SLURM_STEP_ID", "0"}, {"SLURM_NTASKS", "4"}, {"SLURM_PROCID", "0"}},
      {{"SLURM_STEPID", "3"}, {"SLURM_NPROCS", "2"}, {"SLURM_PROCID", "0"}},
      {{"SLURM_STEP_ID", "0"}, {"SLURM_STEP_NUM_TASKS", "4"}, {"SLURM_NTASKS", "4"}},
      {{"SLURM_NTASKS", "4"}, {"SLURM_PROCID", "1"}},
      {{"PMI_SIZE", "2"}, {"PMI_RANK", "0"}},
      {{"PMIX_RANK", "1"}},
      {{"OMPI_COMM_WORLD_SIZE", "8"}, {"OMPI_COMM_WORLD_RANK", "0"}},
      {{"PALS_LOCAL_SIZE", "4"}, {"PALS_RANKID", "0"}},
      {{"PALS_RANKID", "3"}, {"PALS_LOCAL_SIZE", "1"}},
      {{"PALS_SIZE", "2"}},
      {{"MPI_LOCALNRANKS", "2"}, {"MPI_LOCALRANKID", "0"}},
      {{"FLUX_JOB_SIZE", "16"}},
      {{"MV2_COMM_WORLD_SIZE", "2"}}};
  for (const Variables& variables : several) {
    EXPECT_THAT(lost(variables), HasSubstr("srun --mpi=pmix")) << variables.begin()->first;
    EXPECT_THAT(lost(variables), HasSubstr("mpirun"));
    EXPECT_EQ(lost(variables, 2), "") << "MPI sees them";
    EXPECT_TRUE(is_launched(of(variables)));
  }
  EXPECT_THAT(lost({{"SLURM_STEP_ID", "0"}, {"SLURM_NTASKS", "4"}}), HasSubstr("SLURM_NTASKS=4"));
}

TEST(LaunchEnvironment, OneProcessOfItsOwnIsNone) {
  const Variables alone[] = {
      {},
      {{"SLURM_JOB_ID", "7"}, {"SLURM_NTASKS", "8"}},                         // salloc
      {{"SLURM_JOB_ID", "7"}, {"SLURM_NTASKS", "8"}, {"SLURM_PROCID", "0"}},  // a batch script
      {{"SLURM_STEP_ID", "4294967291"}, {"SLURM_NTASKS", "8"}, {"SLURM_PROCID", "0"}},
      {{"SLURM_STEP_ID", "4294967290"}, {"SLURM_NTASKS", "8"}},  // salloc with an interactive step
      {{"SLURM_STEP_ID", "0"}, {"SLURM_STEP_NUM_TASKS", "1"}, {"SLURM_NTASKS", "8"}},
      {{"PMI_SIZE", "1"}, {"PMI_RANK", "0"}},
      {{"SLURM_NTASKS", "many"}},
      {{"PMI_SIZE", ""}}};
  for (const Variables& variables : alone) {
    EXPECT_EQ(lost(variables), "");
    EXPECT_FALSE(is_launched(of(variables)));
  }
}

TEST(LaunchEnvironment, MpirunInsideAStepOfSlurmKnowsItsWorld) {
  // What a rank has whose node was reached by a step of one task on each of four nodes.
  const Variables variables = {{"OMPI_COMM_WORLD_SIZE", "1"},
                               {"OMPI_COMM_WORLD_RANK", "0"},
                               {"SLURM_STEP_ID", "0"},
                               {"SLURM_STEP_NUM_TASKS", "4"},
                               {"SLURM_PROCID", "2"}};
  EXPECT_EQ(lost(variables), "");
  EXPECT_TRUE(is_launched(of(variables)));
}

TEST(LaunchEnvironment, SrunWithoutPmixHasNoPmiForOpenMpi) {
  const Variables task = {{"SLURM_STEP_ID", "0"}, {"SLURM_NODELIST", "n1"}};
  const auto with = [&](const char* name) {
    Variables variables = task;
    variables[name] = "1";
    return of(variables);
  };
  EXPECT_TRUE(lacks_pmi_of_slurm(of(task), false));
  EXPECT_TRUE(lacks_pmi_of_slurm(of(task), true)) << "srun --mpi=none";
  EXPECT_TRUE(lacks_pmi_of_slurm(with("PMI_RANK"), false)) << "srun --mpi=pmi2";
  EXPECT_FALSE(lacks_pmi_of_slurm(with("PMI_RANK"), true));
  EXPECT_FALSE(lacks_pmi_of_slurm(with("PMIX_RANK"), false)) << "srun --mpi=pmix";
  EXPECT_FALSE(lacks_pmi_of_slurm(with("OMPI_COMM_WORLD_SIZE"), false)) << "mpirun in a step";
  EXPECT_FALSE(lacks_pmi_of_slurm(of({{"SLURM_NODELIST", "n1"}}), false)) << "a batch script";
  EXPECT_FALSE(lacks_pmi_of_slurm(of({}), false));
}

}  // namespace
}  // namespace lynceus::parallel
