// The inside of the MPI transport: every MPI call goes through LYNCEUS_MPI, which turns a failure
// into one line (call, MPI's text, world rank, place). Included by parallel/*.cpp, and by io/ for
// the handle that parallel HDF5 needs; nowhere else.
#pragma once

#define OMPI_SKIP_MPICXX 1
#include <mpi.h>

#include <cstdint>
#include <memory>
#include <string>

#include "parallel/communicator.h"

namespace lynceus::parallel {

/// MPI's words for a return code.
std::string mpi_error_text(int code);
/// Throws InternalError for a return code other than MPI_SUCCESS.
void check_mpi(int code, const char* call, const char* file, int line);

/// The group behind a communicator, owned by it; MPI_COMM_SELF for a group of one.
MPI_Comm mpi_handle(const Communicator& communicator);

/// Largest number of elements given to one MPI call: the library counts in int, and some of its
/// algorithms multiply the count by the size of the group.
inline constexpr int64_t kMaxMpiElements = int64_t{1} << 28;

/// Takes over `handle`. A group of one becomes a self communicator. A small `max_elements` lets
/// tests reach the cutting of large tensors.
std::unique_ptr<Communicator> make_mpi_communicator(MPI_Comm handle,
                                                    int64_t max_elements = kMaxMpiElements);

}  // namespace lynceus::parallel

#define LYNCEUS_MPI(call) ::lynceus::parallel::check_mpi((call), #call, __FILE__, __LINE__)
