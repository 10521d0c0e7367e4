#include "parallel/mpi_session.h"

#include <dlfcn.h>

#include <cstdlib>
#include <filesystem>
#include <string_view>

#include "core/check.h"
#include "core/fault.h"
#include "parallel/launch/launch_environment.h"
#include "parallel/launch/launcher_link.h"
#include "parallel/mpi_call.h"
#include "parallel/mpi_communicator.h"

namespace lynceus::parallel {
namespace {

bool is_open_mpi() {
  char version[MPI_MAX_LIBRARY_VERSION_STRING] = "";
  int length = 0;
  return MPI_Get_library_version(version, &length) == MPI_SUCCESS &&
         std::string_view(version).starts_with("Open MPI");
}

/// Whether Open MPI has plug-ins for Slurm's own PMI. Also true if its plug-ins are not found: they
/// may be a part of the library.
bool has_slurm_pmi() {
  namespace fs = std::filesystem;
  Dl_info library{};
  if (dladdr(reinterpret_cast<void*>(&MPI_Init_thread), &library) == 0) return true;
  std::error_code unknown;
  const fs::path folder = fs::canonical(library.dli_fname, unknown).parent_path();
  bool has_plugins = false;
  for (const char* plugins : {"openmpi", "openmpi3", "openmpi/lib/openmpi", "openmpi/lib/openmpi3"})
    for (const auto& entry : fs::directory_iterator(folder / plugins, unknown)) {
      const std::string name = entry.path().filename();
      if (name == "mca_pmix_s1.so" || name == "mca_pmix_s2.so") return true;
      has_plugins = has_plugins || name.starts_with("mca_");
    }
  return !has_plugins;
}

/// Lets Open MPI start a task of srun as a world of its own where it would end it with exit code 1
/// and a page of text. Whether there are other tasks is checked then: lost_world().
void start_without_pmi_of_slurm() {
  if (!is_open_mpi() || !lacks_pmi_of_slurm(process_environment(), has_slurm_pmi())) return;
  unsetenv("SLURM_NODELIST");
  setenv("OMPI_MCA_ess_singleton_isolated", "1", /*overwrite=*/0);
}

}  // namespace

MpiSession::MpiSession(int* argc, char*** argv) {
  LYNCEUS_CHECK(!mpi_is_running(), "MPI may be started only once, by main()");
  // Without a launcher Open MPI would look for one and require ssh in PATH.
  if (!is_launched(process_environment()))
    setenv("OMPI_MCA_ess_singleton_isolated", "1", /*overwrite=*/0);
  // Shared file pointers are not used; their shared-memory component warns if /tmp is small.
  setenv("OMPI_MCA_sharedfp", "^sm", /*overwrite=*/0);
  start_without_pmi_of_slurm();
  LYNCEUS_FAULT_POINT("mpi.start");
  int provided = MPI_THREAD_SINGLE;
  // A second thread saves checkpoints. Others decode images and renew the lease; they never call
  // MPI.
  const int wanted =
      LYNCEUS_FAULT_ASKED("mpi.one_thread") ? MPI_THREAD_FUNNELED : MPI_THREAD_MULTIPLE;
  LYNCEUS_MPI(MPI_Init_thread(argc, argv, wanted, &provided));
  if (provided < MPI_THREAD_FUNNELED)
    throw UsageError(
        "this MPI library provides thread level {}, but images are decoded by other threads than "
        "the "
        "one that calls MPI: use a library built with MPI_THREAD_FUNNELED (level {})",
        provided, static_cast<int>(MPI_THREAD_FUNNELED));
}

MpiSession::~MpiSession() {
  if (mpi_is_running()) MPI_Finalize();
}

void MpiSession::abort(int code) {
  if (LauncherLink::is_connected()) {
    LauncherLink::report(RankMessage::kAbort, code);
    std::_Exit(code);
  }
  if (mpi_is_running()) MPI_Abort(MPI_COMM_WORLD, code);
  std::_Exit(code);
}

std::unique_ptr<Communicator> make_world() {
  // Return errors also before the first group has its own handler.
  LYNCEUS_MPI(MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN));
  LYNCEUS_MPI(MPI_Comm_set_errhandler(MPI_COMM_SELF, MPI_ERRORS_RETURN));
  MPI_Comm handle = MPI_COMM_NULL;
  LYNCEUS_MPI(MPI_Comm_dup(MPI_COMM_WORLD, &handle));
  return make_mpi_communicator(handle);
}

bool several_threads_communicate() {
  if (!mpi_is_running()) return false;
  int provided = MPI_THREAD_SINGLE;
  LYNCEUS_MPI(MPI_Query_thread(&provided));
  return provided >= MPI_THREAD_MULTIPLE;
}

std::unique_ptr<Communicator> make_background_group(const Communicator& group) {
  if (group.size() == 1) return make_self_communicator();
  MPI_Comm handle = MPI_COMM_NULL;
  LYNCEUS_MPI(MPI_Comm_dup(mpi_handle(group), &handle));
  return make_mpi_communicator(handle, kMaxMpiElements, Waiting::kSleeps);
}

PlaceOnNode place_on_node() {
  MPI_Comm node = MPI_COMM_NULL;
  LYNCEUS_MPI(MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &node));
  PlaceOnNode place;
  LYNCEUS_MPI(MPI_Comm_rank(node, &place.rank));
  LYNCEUS_MPI(MPI_Comm_size(node, &place.size));
  LYNCEUS_MPI(MPI_Comm_free(&node));
  return place;
}

std::unique_ptr<Communicator> split(Communicator& parent, int color, int key) {
  if (parent.size() == 1) return make_self_communicator();
  MPI_Comm handle = MPI_COMM_NULL;
  LYNCEUS_MPI(MPI_Comm_split(mpi_handle(parent), color, key, &handle));
  return make_mpi_communicator(handle);
}

}  // namespace lynceus::parallel
