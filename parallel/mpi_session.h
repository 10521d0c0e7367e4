// Start and end of MPI; the world of ranks and groups of it.
#pragma once

#include <memory>

#include "parallel/communicator.h"

namespace lynceus::parallel {

/// Starts MPI and ends it; one, at the top of main(). The thread that made it calls MPI, and where
/// several_threads_communicate() one more: each on communicators of its own.
class MpiSession {
 public:
  MpiSession(int* argc, char*** argv);
  ~MpiSession();
  MpiSession(const MpiSession&) = delete;
  MpiSession& operator=(const MpiSession&) = delete;

  /// Ends all ranks at once, for errors that not all ranks share. From any thread, also while
  /// another one waits in MPI.
  [[noreturn]] static void abort(int code);
};

/// All ranks of the job. MPI must have been started.
std::unique_ptr<Communicator> make_world();

/// Whether two threads of this process may call MPI at the same time (MPI_THREAD_MULTIPLE). Where
/// it is false, communication of other threads is not possible.
bool several_threads_communicate();

/// Collective over `group`: its ranks with a message space of their own, for one other thread. A
/// thread that waits in it sleeps between its looks, so that it takes no core from those that
/// compute.
std::unique_ptr<Communicator> make_background_group(const Communicator& group);

/// Collective over the world: this rank's number among the ranks of its node, and their number.
struct PlaceOnNode {
  int rank = 0;
  int size = 1;
};
PlaceOnNode place_on_node();

/// Collective over `parent`: the ranks of equal color, ordered by key, with a message space of
/// their own.
std::unique_ptr<Communicator> split(Communicator& parent, int color, int key);

}  // namespace lynceus::parallel
