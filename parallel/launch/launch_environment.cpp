#include "parallel/launch/launch_environment.h"

#include <fmt/format.h>

#include <cstdint>
#include <cstdlib>
#include <optional>

namespace lynceus::parallel {
namespace {

constexpr const char* kOwnSize = "OMPI_COMM_WORLD_SIZE";  // set by the mpirun of this MPI library

// Sizes of a world, set for each task. MPI_LOCALNRANKS and PALS_LOCAL_SIZE count a node only.
constexpr const char* kSizes[] = {
    kOwnSize,        "PMI_SIZE",          "PMIX_SIZE",       "PALS_SIZE",
    "PALS_NRANKS",   "MPI_LOCALNRANKS",   "PALS_LOCAL_SIZE", "MV2_COMM_WORLD_SIZE",
    "FLUX_JOB_SIZE", "JSM_NAMESPACE_SIZE"};
// Numbers of a task: one above 0 has others before it.
constexpr const char* kRanks[] = {"OMPI_COMM_WORLD_RANK", "PMIX_RANK",       "PMI_RANK",
                                  "PALS_RANKID",          "FLUX_TASK_RANK",  "JSM_NAMESPACE_RANK",
                                  "SLURM_PROCID",         "MPI_LOCALRANKID", "PALS_LOCAL_RANKID"};

// Step numbers from here on are Slurm's batch script, interactive shell and the like.
constexpr int64_t kFirstSpecialStep = 0xfffffff0;

std::optional<int64_t> number(const Environment& environment, const char* name) {
  const char* text = environment(name);
  if (text == nullptr || *text == '\0') return std::nullopt;
  char* end = nullptr;
  const int64_t value = std::strtoll(text, &end, 10);
  if (*end != '\0') return std::nullopt;
  return value;
}

/// The number of tasks of this step of Slurm. The batch script and an interactive shell have the
/// variables of the job, SLURM_NTASKS among them, but are one task.
std::optional<int64_t> slurm_tasks(const Environment& environment, std::string* source) {
  auto step = number(environment, "SLURM_STEP_ID");
  if (!step) step = number(environment, "SLURM_STEPID");
  if (!step || *step < 0 || *step >= kFirstSpecialStep) return std::nullopt;
  for (const char* name : {"SLURM_STEP_NUM_TASKS", "SLURM_NTASKS", "SLURM_NPROCS"})
    if (const auto tasks = number(environment, name)) {
      *source = fmt::format("{}={}", name, *tasks);
      return tasks;
    }
  return std::nullopt;
}

/// The first variable that says that there are several tasks, "PMI_SIZE=4"; empty: none does.
std::string several_tasks(const Environment& environment) {
  for (const char* name : kSizes)
    if (const auto size = number(environment, name); size && *size > 1)
      return fmt::format("{}={}", name, *size);
  // An mpirun inside a step of Slurm knows its own world better.
  if (number(environment, kOwnSize)) return "";
  std::string source;
  if (const auto tasks = slurm_tasks(environment, &source); tasks && *tasks > 1) return source;
  for (const char* name : kRanks)
    if (const auto rank = number(environment, name); rank && *rank > 0)
      return fmt::format("{}={}", name, *rank);
  return "";
}

}  // namespace

Environment process_environment() {
  return [](const char* name) { return std::getenv(name); };
}

bool is_launched(const Environment& environment) {
  return environment(kOwnSize) != nullptr || environment("PMIX_RANK") != nullptr ||
         !several_tasks(environment).empty();
}

bool lacks_pmi_of_slurm(const Environment& environment, bool has_slurm_pmi) {
  for (const char* name : {"SLURM_STEP_ID", "SLURM_NODELIST"})
    if (environment(name) == nullptr) return false;
  for (const char* name : {kOwnSize, "OMPI_MCA_orte_hnp_uri", "OMPI_MCA_orte_local_daemon_uri",
                           "PMIX_NAMESPACE", "PMIX_RANK"})
    if (environment(name) != nullptr) return false;
  return !has_slurm_pmi || environment("PMI_RANK") == nullptr;
}

std::string lost_world(const Environment& environment, int world_size) {
  if (world_size != 1) return "";
  const std::string source = several_tasks(environment);
  if (source.empty()) return "";
  return fmt::format(
      "the launcher started several tasks ({}), but MPI sees a world of 1 rank, so that each task "
      "would do all of the work alone: the launcher and this MPI library have no PMI in common. "
      "Under Slurm start it with `srun --mpi=pmix lynceus ...` (`srun --mpi=list` lists what this "
      "Slurm has), elsewhere with the mpirun of the MPI library that lynceus was built with",
      source);
}

}  // namespace lynceus::parallel
