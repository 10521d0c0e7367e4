// The NCCL communicator is non-blocking: every call is polled until NCCL has accepted it, at most
// until the deadline, so that a rank that dies while the others set up causes an error, not a hang.
#include "parallel/nccl_transport.h"

#include <nccl.h>

#include <cstring>
#include <exception>
#include <thread>

#include "parallel/agreement.h"

#define LYNCEUS_NCCL(call) settle((call), #call, __FILE__, __LINE__)

namespace lynceus::parallel {

namespace {

using accelerator::Queue;
using Clock = std::chrono::steady_clock;

ncclDataType_t type_of(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return ncclFloat32;
    case DType::kF64:
      return ncclFloat64;
    case DType::kBf16:
      return ncclBfloat16;
    case DType::kF16:
      return ncclFloat16;
    case DType::kI32:
      return ncclInt32;
    case DType::kI64:
      return ncclInt64;
    case DType::kU8:
      return ncclUint8;
  }
  throw InternalError("NCCL has no type {}", name_of(dtype));
}

ncclRedOp_t op_of(ReduceOp op) {
  switch (op) {
    case ReduceOp::kSum:
      return ncclSum;
    case ReduceOp::kMax:
      return ncclMax;
    case ReduceOp::kMin:
      return ncclMin;
  }
  throw InternalError("NCCL has no reduction {}", static_cast<int>(op));
}

cudaStream_t stream_of(const Queue& queue) { return static_cast<cudaStream_t>(queue.get()); }
size_t count_of(const Tensor& x) { return static_cast<size_t>(x.size()); }

class NcclTransport final : public DeviceTransport {
 public:
  NcclTransport(Communicator& host, Device device, std::chrono::milliseconds deadline)
      : rank_(host.rank()), size_(host.size()), deadline_(deadline) {
    const ncclUniqueId id = shared_id(host);
    if (const cudaError_t status = cudaSetDevice(device.index); status != cudaSuccess)
      throw InternalError("cudaSetDevice({}): {}", device.index, cudaGetErrorString(status));
    ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
    config.blocking = 0;
    try {
      LYNCEUS_NCCL(ncclCommInitRankConfig(&communicator_, size_, id, rank_, &config));
    } catch (const Error&) {
      abort();
      throw;
    }
  }

  ~NcclTransport() override {
    if (communicator_ == nullptr) return;
    // While an exception unwinds, the other ranks may never finish what this one would wait for.
    const bool unwinding = std::uncaught_exceptions() > exceptions_before_;
    if (unwinding || !end()) abort();
  }

  void all_reduce(const Tensor& x, ReduceOp op, const Queue& queue) override {
    LYNCEUS_NCCL(ncclAllReduce(x.raw(), x.raw(), count_of(x), type_of(x.dtype()), op_of(op),
                               communicator_, stream_of(queue)));
  }

  void all_gather(const Tensor& x, const Tensor& y, const Queue& queue) override {
    LYNCEUS_NCCL(ncclAllGather(x.raw(), y.raw(), count_of(x), type_of(x.dtype()), communicator_,
                               stream_of(queue)));
  }

  void reduce_scatter(const Tensor& x, const Tensor& y, const Queue& queue) override {
    LYNCEUS_NCCL(ncclReduceScatter(x.raw(), y.raw(), count_of(y), type_of(x.dtype()), ncclSum,
                                   communicator_, stream_of(queue)));
  }

  void broadcast(const Tensor& x, int root, const Queue& queue) override {
    LYNCEUS_NCCL(ncclBroadcast(x.raw(), x.raw(), count_of(x), type_of(x.dtype()), root,
                               communicator_, stream_of(queue)));
  }

  void exchange(std::span<const Transfer> sends, std::span<const Transfer> receives,
                const Queue& queue) override {
    LYNCEUS_NCCL(ncclGroupStart());
    // The group must be ended after a failure too: it belongs to the thread.
    ncclResult_t result = ncclSuccess;
    const auto keep = [&](ncclResult_t found) {
      if (result == ncclSuccess && found != ncclInProgress) result = found;
    };
    for (const auto& [peer, tensor] : sends)
      keep(ncclSend(tensor.raw(), count_of(tensor), type_of(tensor.dtype()), peer, communicator_,
                    stream_of(queue)));
    for (const auto& [peer, tensor] : receives)
      keep(ncclRecv(tensor.raw(), count_of(tensor), type_of(tensor.dtype()), peer, communicator_,
                    stream_of(queue)));
    const ncclResult_t ended = ncclGroupEnd();
    settle(result, "a send or receive of an exchange", __FILE__, __LINE__);
    settle(ended, "ncclGroupEnd()", __FILE__, __LINE__);
  }

  void check() override {
    ncclResult_t found = ncclSuccess;
    const ncclResult_t status = ncclCommGetAsyncError(communicator_, &found);
    refuse(status, "ncclCommGetAsyncError", __FILE__, __LINE__);
    if (found != ncclInProgress) refuse(found, "a collective in flight", __FILE__, __LINE__);
  }

  void abort() noexcept override {
    if (communicator_ != nullptr) ncclCommAbort(communicator_);
    communicator_ = nullptr;
  }

 private:
  /// The id that rank 0 of the group made.
  ncclUniqueId shared_id(Communicator& host) {
    ncclUniqueId id;
    agree(host, [&] {
      if (rank_ == 0) LYNCEUS_NCCL(ncclGetUniqueId(&id));
    });
    const std::string bytes =
        host.broadcast(rank_ == 0 ? std::string(id.internal, sizeof(id.internal)) : "", 0);
    std::memcpy(id.internal, bytes.data(), sizeof(id.internal));
    return id;
  }

  /// Waits until all ranks have ended theirs. Returns whether that succeeded.
  bool end() noexcept {
    try {
      LYNCEUS_NCCL(ncclCommFinalize(communicator_));
      return ncclCommDestroy(communicator_) == ncclSuccess;
    } catch (const Error&) {
      return false;
    }
  }

  /// Waits until NCCL has accepted the call; throws if it fails or takes too long.
  void settle(ncclResult_t result, const char* call, const char* file, int line) {
    const auto end = Clock::now() + deadline_;
    while (result == ncclInProgress) {
      if (Clock::now() > end)
        throw InternalError("{} is not done on rank {} of {} after {} ms ({}:{})", call, rank_,
                            size_, deadline_.count(), file, line);
      std::this_thread::yield();
      refuse(ncclCommGetAsyncError(communicator_, &result), "ncclCommGetAsyncError", file, line);
    }
    refuse(result, call, file, line);
  }

  void refuse(ncclResult_t result, const char* call, const char* file, int line) const {
    if (result == ncclSuccess) [[likely]]
      return;
    throw InternalError("{} failed on rank {} of {}: {} ({}) ({}:{})", call, rank_, size_,
                        ncclGetErrorString(result), ncclGetLastError(communicator_), file, line);
  }

  int rank_;
  int size_;
  std::chrono::milliseconds deadline_;
  int exceptions_before_ = std::uncaught_exceptions();
  ncclComm_t communicator_ = nullptr;
};

}  // namespace

bool nccl_is_built() { return true; }

std::unique_ptr<DeviceTransport> make_nccl_transport(Communicator& host, Device device,
                                                     std::chrono::milliseconds deadline) {
  return std::make_unique<NcclTransport>(host, device, deadline);
}

}  // namespace lynceus::parallel
