// The NCCL calls of parallel/nccl, for processes on one machine, on the memory and in the queues of
// the stand-in for the device. The communicators are blocking. A collective progresses only as far
// as needed: by the host, or by another rank that waits (a thread looks for such ranks, since a
// device continues while its host does something else). A collective that lost a rank stays in
// progress until the communicator is aborted. Ranks that call different collectives, or wait for
// longer than LYNCEUS_STANDIN_TIMEOUT seconds (60), end the process with a message.
#include <fmt/format.h>
#include <nccl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <mutex>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "tests/standin/nccl_residence.h"
#include "tests/standin/nccl_work.h"
#include "tests/standin/queue.h"
#include "tests/standin/runtime.h"

namespace lynceus::standin {
namespace {

/// Runs this process's part while its host is busy, if another rank waits for it.
class Helper {
 public:
  void add(const std::shared_ptr<Group>& group) {
    std::lock_guard lock(mutex_);
    groups_.push_back(group);
    if (!thread_.joinable()) thread_ = std::jthread([this](std::stop_token stop) { work(stop); });
  }
  void remove(const std::shared_ptr<Group>& group) {
    std::unique_lock lock(mutex_);
    std::erase(groups_, group);
    if (!groups_.empty()) return;
    std::jthread ending = std::move(thread_);
    lock.unlock();
  }

 private:
  void work(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      if (asked())
        progress();
      else
        std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
  }

  bool asked() {
    std::lock_guard lock(mutex_);
    return std::any_of(groups_.begin(), groups_.end(), [](const auto& group) {
      return group->outstanding > 0 && !group->aborted && group->segment.others_wait();
    });
  }

  std::mutex mutex_;
  std::vector<std::shared_ptr<Group>> groups_;
  std::jthread thread_;
};

Helper& helper() {
  static Helper* const instance = new Helper;
  return *instance;
}

/// Sends and receives since ncclGroupStart.
struct OpenGroup {
  bool open = false;
  ncclComm_t communicator = nullptr;
  void* stream = nullptr;
  std::vector<Message> messages;
};
thread_local OpenGroup open_group;

}  // namespace
}  // namespace lynceus::standin

struct ncclComm {
  std::shared_ptr<lynceus::standin::Group> group;
};

namespace {

using namespace lynceus::standin;

ncclResult_t collective(ncclComm_t communicator, Kind kind, const void* x, void* y, size_t count,
                        ncclDataType_t dtype, int op, int root, cudaStream_t stream) {
  if (open_group.open) fail("NCCL: a collective between ncclGroupStart and ncclGroupEnd");
  const auto group = communicator->group;
  if (group->segment.lost_rank() >= 0) return ncclRemoteError;
  const Piece piece{kind,       dtype, op, root, ++group->calls, static_cast<int64_t>(count),
                    /*begin=*/0};
  enqueue_collective(group, stream, piece, x, y);
  return ncclSuccess;
}

/// Makes the communicator once all its ranks are there.
ncclResult_t join(ncclComm_t* communicator, const std::string& name, int rank, int size) {
  const auto group = std::make_shared<Group>(name, rank, size);
  while (!group->segment.complete()) {
    if (group->segment.lost_rank() >= 0) return ncclRemoteError;
    std::this_thread::sleep_for(std::chrono::microseconds(100));
  }
  *communicator = new ncclComm{group};
  helper().add(group);
  return ncclSuccess;
}

void check_config(const ncclConfig_t* config) {
  if (config->blocking != 1) fail("NCCL: a communicator that does not block");
}

ncclResult_t message(bool receive, void* data, size_t count, ncclDataType_t dtype, int peer,
                     ncclComm_t communicator, cudaStream_t stream) {
  OpenGroup& open = open_group;
  if (!open.open) fail("NCCL: a send or receive outside a group");
  if (!open.messages.empty() && (open.communicator != communicator || open.stream != stream))
    fail("NCCL: one group over two communicators or streams");
  if (peer < 0 || peer >= communicator->group->segment.size()) return ncclInvalidArgument;
  open.communicator = communicator;
  open.stream = stream;
  open.messages.push_back(
      {receive, peer, dtype, static_cast<int64_t>(count), static_cast<char*>(data)});
  return ncclSuccess;
}

}  // namespace

extern "C" {

ncclResult_t ncclGetUniqueId(ncclUniqueId* id) {
  *id = {};
  const std::string name = fmt::format("/lynceus-nccl-{}-{:08x}", getpid(), std::random_device()());
  name.copy(id->internal, sizeof(id->internal) - 1);
  return ncclSuccess;
}

ncclResult_t ncclGetVersion(int* version) {
  *version = nccl_version();
  return ncclSuccess;
}

ncclResult_t ncclCommInitRankConfig(ncclComm_t* communicator, int size, ncclUniqueId id, int rank,
                                    ncclConfig_t* config) {
  require_device("ncclCommInitRankConfig");
  check_config(config);
  return join(communicator, id.internal, rank, size);
}

ncclResult_t ncclCommSplit(ncclComm_t parent, int color, int key, ncclComm_t* communicator,
                           ncclConfig_t* config) {
  require_device("ncclCommSplit");
  check_config(config);
  if (parent->group->finalized || parent->group->aborted) fail("NCCL: a group of what has ended");
  *communicator = nullptr;
  const Segment::Part part = parent->group->segment.split(color, key);
  if (parent->group->segment.lost_rank() >= 0) return ncclRemoteError;
  return part.size == 0 ? ncclSuccess : join(communicator, part.name, part.rank, part.size);
}

ncclResult_t ncclCommGetAsyncError(ncclComm_t communicator, ncclResult_t* result) {
  *result = communicator->group->segment.lost_rank() >= 0 ? ncclRemoteError : ncclSuccess;
  return ncclSuccess;
}

ncclResult_t ncclCommFinalize(ncclComm_t communicator) {
  Group& group = *communicator->group;
  while (group.outstanding > 0) {
    if (group.segment.lost_rank() >= 0) return ncclRemoteError;
    progress();
  }
  group.finalized = true;
  return ncclSuccess;
}

ncclResult_t ncclCommDestroy(ncclComm_t communicator) {
  if (!communicator->group->finalized || communicator->group->outstanding > 0)
    fail("NCCL: a communicator is destroyed with work on its way");
  communicator->group->segment.leave();
  helper().remove(communicator->group);
  delete communicator;
  return ncclSuccess;
}

ncclResult_t ncclCommAbort(ncclComm_t communicator) {
  communicator->group->segment.give_up();
  communicator->group->aborted = true;
  helper().remove(communicator->group);
  delete communicator;
  return ncclSuccess;
}

const char* ncclGetErrorString(ncclResult_t result) {
  return result == ncclRemoteError ? "remote process exited or there was a network error"
                                   : "an error of the stand-in";
}

const char* ncclGetLastError(ncclComm_t communicator) {
  thread_local std::string text;
  const int lost = communicator == nullptr ? -1 : communicator->group->segment.lost_rank();
  text = lost < 0 ? "" : fmt::format("rank {} is lost", lost);
  return text.c_str();
}

ncclResult_t ncclAllReduce(const void* x, void* y, size_t count, ncclDataType_t dtype,
                           ncclRedOp_t op, ncclComm_t communicator, cudaStream_t stream) {
  return collective(communicator, Kind::kAllReduce, x, y, count, dtype, op, 0, stream);
}

ncclResult_t ncclAllGather(const void* x, void* y, size_t count, ncclDataType_t dtype,
                           ncclComm_t communicator, cudaStream_t stream) {
  return collective(communicator, Kind::kAllGather, x, y, count, dtype, 0, 0, stream);
}

ncclResult_t ncclReduceScatter(const void* x, void* y, size_t count, ncclDataType_t dtype,
                               ncclRedOp_t op, ncclComm_t communicator, cudaStream_t stream) {
  return collective(communicator, Kind::kReduceScatter, x, y, count, dtype, op, 0, stream);
}

ncclResult_t ncclBroadcast(const void* x, void* y, size_t count, ncclDataType_t dtype, int root,
                           ncclComm_t communicator, cudaStream_t stream) {
  return collective(communicator, Kind::kBroadcast, x, y, count, dtype, 0, root, stream);
}

ncclResult_t ncclGroupStart() {
  if (open_group.open) fail("NCCL: a group in a group");
  open_group = {};
  open_group.open = true;
  return ncclSuccess;
}

ncclResult_t ncclSend(const void* data, size_t count, ncclDataType_t dtype, int peer,
                      ncclComm_t communicator, cudaStream_t stream) {
  return message(false, const_cast<void*>(data), count, dtype, peer, communicator, stream);
}

ncclResult_t ncclRecv(void* data, size_t count, ncclDataType_t dtype, int peer,
                      ncclComm_t communicator, cudaStream_t stream) {
  return message(true, data, count, dtype, peer, communicator, stream);
}

ncclResult_t ncclGroupEnd() {
  OpenGroup open = std::exchange(open_group, {});
  if (!open.open) fail("NCCL: the end of a group that was not begun");
  if (open.messages.empty()) return ncclSuccess;
  enqueue_exchange(open.communicator->group, open.stream, open.messages);
  return ncclSuccess;
}

}  // extern "C"
