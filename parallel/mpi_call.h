// The checked MPI call: every call goes through LYNCEUS_MPI, which turns a failure into one line
// (call, MPI's text, world rank, place).
#pragma once

#define OMPI_SKIP_MPICXX 1
#include <mpi.h>

#include <string>

namespace lynceus::parallel {

/// MPI's text for a return code.
std::string mpi_error_text(int code);
/// Throws InternalError for a return code other than MPI_SUCCESS.
void check_mpi(int code, const char* call, const char* file, int line);
/// Whether MPI calls are possible: after MPI_Init, before MPI_Finalize.
bool mpi_is_running();

}  // namespace lynceus::parallel

#define LYNCEUS_MPI(call) ::lynceus::parallel::check_mpi((call), #call, __FILE__, __LINE__)
