// The calls in progress of a stand-in NCCL communicator: collectives and exchanges, as work that is
// tried again until the other ranks have done their part.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "tests/standin/nccl_segment.h"

namespace lynceus::standin {

/// A communicator; queued work shares its ownership.
struct Group {
  Group(const std::string& name, int rank, int size) : segment(name, rank, size) {}

  Segment segment;
  std::atomic<bool> aborted = false;
  std::atomic<int> outstanding = 0;  // calls in the queues
  std::atomic<int64_t> rounds = 0;   // completed pieces of collectives
  int64_t calls = 0;
  bool finalized = false;

  /// Called while a call cannot continue. Ends the process after the timeout.
  void wait(std::chrono::steady_clock::time_point since, const std::string& what);
};

/// One tensor of a group of sends and receives.
struct Message {
  bool receive;
  int peer;
  int dtype;
  int64_t count;
  char* data;
  int64_t moved = 0;   // elements
  bool waits = false;  // a send: its last packet was not received yet
};

/// Queues the call. `x` and `y` as in NCCL's call; the `begin` of the piece is 0.
void enqueue_collective(const std::shared_ptr<Group>& group, void* stream, const Piece& call,
                        const void* x, void* y);
void enqueue_exchange(const std::shared_ptr<Group>& group, void* stream,
                      const std::vector<Message>& messages);

}  // namespace lynceus::standin
