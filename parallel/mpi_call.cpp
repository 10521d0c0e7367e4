#include "parallel/mpi_call.h"

#include "core/error.h"

namespace lynceus::parallel {

bool mpi_is_running() {
  int initialized = 0;
  int finalized = 0;
  MPI_Initialized(&initialized);
  MPI_Finalized(&finalized);
  return initialized != 0 && finalized == 0;
}

std::string mpi_error_text(int code) {
  char text[MPI_MAX_ERROR_STRING] = "unknown error";
  int length = 0;
  if (mpi_is_running()) MPI_Error_string(code, text, &length);
  return text;
}

void check_mpi(int code, const char* call, const char* file, int line) {
  if (code == MPI_SUCCESS) [[likely]]
    return;
  int rank = -1;
  if (mpi_is_running()) MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  throw InternalError("{} failed on rank {}: {} ({}:{})", call, rank, mpi_error_text(code), file,
                      line);
}

}  // namespace lynceus::parallel
