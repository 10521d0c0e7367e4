// Communicator over MPI for host tensors, and its MPI handle. Tensors of
// more elements than MPI's int can count are sent in several calls.
#pragma once

#define OMPI_SKIP_MPICXX 1
#include <mpi.h>

#include <cstdint>
#include <memory>

#include "parallel/communicator.h"

namespace lynceus::parallel {

/// The MPI group of a communicator, which keeps its ownership; MPI_COMM_SELF for a group of one.
MPI_Comm mpi_handle(const Communicator& communicator);

/// Largest number of elements of one MPI call: the library counts in int, and some of its
/// algorithms multiply the count by the size of the group.
inline constexpr int64_t kMaxMpiElements = int64_t{1} << 28;

/// What a thread does while it waits in a call: it asks the library without a pause, which answers
/// soonest, or sleeps between its looks, which leaves its core to others.
enum class Waiting { kAsks, kSleeps };

/// Takes ownership of `handle`. A group of one becomes a self communicator. A small `max_elements`
/// lets tests reach the code that cuts large tensors. Reduce-scatter never sleeps.
std::unique_ptr<Communicator> make_mpi_communicator(MPI_Comm handle,
                                                    int64_t max_elements = kMaxMpiElements,
                                                    Waiting waiting = Waiting::kAsks);

}  // namespace lynceus::parallel
