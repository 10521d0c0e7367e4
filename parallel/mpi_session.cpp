// Start and end of MPI, and the checked call. Used by main.cpp and by the MPI communicator.
#include <cstdlib>

#include "parallel/mpi_call.h"

namespace lynceus::parallel {

namespace {

bool started() {
  int initialized = 0;
  int finalized = 0;
  MPI_Initialized(&initialized);
  MPI_Finalized(&finalized);
  return initialized != 0 && finalized == 0;
}

}  // namespace

std::string mpi_error_text(int code) {
  char text[MPI_MAX_ERROR_STRING] = "unknown error";
  int length = 0;
  if (started()) MPI_Error_string(code, text, &length);
  return text;
}

void check_mpi(int code, const char* call, const char* file, int line) {
  if (code == MPI_SUCCESS) [[likely]]
    return;
  int rank = -1;
  if (started()) MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  throw InternalError("{} failed on rank {}: {} ({}:{})", call, rank, mpi_error_text(code), file,
                      line);
}

MpiSession::MpiSession(int* argc, char*** argv) {
  LYNCEUS_CHECK(!started(), "MPI is started once, by main()");
  // Started by hand, with no launcher around: do not look for one (Open MPI would want ssh in
  // PATH).
  const bool launched = std::getenv("OMPI_COMM_WORLD_SIZE") || std::getenv("PMIX_RANK");
  if (!launched) setenv("OMPI_MCA_ess_singleton_isolated", "1", /*overwrite=*/0);
  // Shared file pointers are never used; their shared-memory part complains where /tmp is small.
  setenv("OMPI_MCA_sharedfp", "^sm", /*overwrite=*/0);
  int provided = MPI_THREAD_SINGLE;
  // Threads decode pictures and beat the lease's heart; only the first one calls MPI.
  LYNCEUS_MPI(MPI_Init_thread(argc, argv, MPI_THREAD_FUNNELED, &provided));
  if (provided < MPI_THREAD_FUNNELED)
    throw UsageError(
        "this MPI library offers thread level {}, but pictures are decoded by threads beside the "
        "one that calls MPI: use one built with MPI_THREAD_FUNNELED (level {})",
        provided, static_cast<int>(MPI_THREAD_FUNNELED));
}

MpiSession::~MpiSession() {
  if (started()) MPI_Finalize();
}

void MpiSession::abort(int code) {
  if (started()) MPI_Abort(MPI_COMM_WORLD, code);
  std::_Exit(code);
}

}  // namespace lynceus::parallel
