// The NCCL communicators are blocking: a non-blocking one starts a thread for every call. What
// waits for other ranks (set-up, groups, end) runs on a thread of its own and at most until the
// deadline, so that a rank that dies meanwhile causes an error, not a hang.
#include "parallel/nccl_transport.h"

#include <nccl.h>

#include <cstdlib>
#include <cstring>
#include <exception>
#include <future>
#include <thread>

#include "parallel/agreement.h"

#define LYNCEUS_NCCL(call) refuse((call), #call, __FILE__, __LINE__)

namespace lynceus::parallel {

namespace {

static_assert(NCCL_VERSION_CODE >= NCCL_VERSION(2, 18, 1), "NCCL 2.18 or newer is needed");

/// Enough for the links of a node; more would slow the products that run at the same time.
constexpr int kMaxCtas = 16;

using accelerator::Queue;

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

/// A communicator in the making; shared with the thread that makes it.
struct Making {
  ncclComm_t made = nullptr;
  ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
};

class NcclTransport final : public DeviceTransport {
 public:
  /// `make(Making*)` returns NCCL's result; `call` names it in messages.
  template <typename Make>
  NcclTransport(const Communicator& host, Device device, std::chrono::milliseconds deadline,
                const char* call, const Make& make)
      : rank_(host.rank()), size_(host.size()), device_(device), deadline_(deadline) {
    const auto making = std::make_shared<Making>();
    making->config.blocking = 1;
    making->config.splitShare = 1;
    making->config.maxCTAs = kMaxCtas;
    in_time(call, [=] { return make(making.get()); });
    communicator_ = making->made;
  }

  ~NcclTransport() override {
    if (communicator_ == nullptr) return;
    // While an exception unwinds, the other ranks may never finish what this one would wait for.
    if (std::uncaught_exceptions() > exceptions_before_)
      abort();
    else
      end();
  }

  std::unique_ptr<DeviceTransport> split(int color, Communicator& group) override {
    const bool alone = group.size() == 1;
    const auto make = [=, parent = communicator_, key = group.rank()](Making* making) {
      return ncclCommSplit(parent, alone ? NCCL_SPLIT_NOCOLOR : color, key, &making->made,
                           &making->config);
    };
    auto made = std::make_unique<NcclTransport>(group, device_, deadline_, "ncclCommSplit", make);
    if (alone) return nullptr;
    return made;
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
      if (result == ncclSuccess) result = found;
    };
    for (const auto& [peer, tensor] : sends)
      keep(ncclSend(tensor.raw(), count_of(tensor), type_of(tensor.dtype()), peer, communicator_,
                    stream_of(queue)));
    for (const auto& [peer, tensor] : receives)
      keep(ncclRecv(tensor.raw(), count_of(tensor), type_of(tensor.dtype()), peer, communicator_,
                    stream_of(queue)));
    const ncclResult_t ended = ncclGroupEnd();
    refuse(result, "a send or receive of an exchange", __FILE__, __LINE__);
    refuse(ended, "ncclGroupEnd()", __FILE__, __LINE__);
  }

  void check() override {
    ncclResult_t found = ncclSuccess;
    LYNCEUS_NCCL(ncclCommGetAsyncError(communicator_, &found));
    if (found != ncclInProgress) refuse(found, "a collective in flight", __FILE__, __LINE__);
  }

  void abort() noexcept override {
    if (communicator_ != nullptr) ncclCommAbort(communicator_);
    communicator_ = nullptr;
  }

 private:
  /// Waits until all ranks have ended theirs.
  void end() noexcept {
    try {
      in_time("ncclCommFinalize", [c = communicator_] { return ncclCommFinalize(c); });
    } catch (const std::exception&) {
      return abort();
    }
    // Freed also if this fails.
    ncclCommDestroy(std::exchange(communicator_, nullptr));
  }

  /// Calls `work`, which waits for other ranks, on a thread of its own. Throws if it fails or takes
  /// too long; then the thread is left behind, and the process is about to end.
  template <typename Work>
  void in_time(const char* call, const Work& work) {
    std::promise<ncclResult_t> promise;
    std::future<ncclResult_t> result = promise.get_future();
    std::thread([work, index = device_.index, promise = std::move(promise)]() mutable {
      const bool chosen = cudaSetDevice(index) == cudaSuccess;
      promise.set_value(chosen ? work() : ncclUnhandledCudaError);
    }).detach();
    if (result.wait_for(deadline_) != std::future_status::ready)
      throw InternalError("{} is not done on rank {} of {} after {} ms", call, rank_, size_,
                          deadline_.count());
    refuse(result.get(), call, __FILE__, __LINE__);
  }

  void refuse(ncclResult_t result, const char* call, const char* file, int line) const {
    if (result == ncclSuccess) [[likely]]
      return;
    throw InternalError("{} failed on rank {} of {}: {} ({}) ({}:{})", call, rank_, size_,
                        ncclGetErrorString(result), ncclGetLastError(communicator_), file, line);
  }

  int rank_;
  int size_;
  Device device_;
  std::chrono::milliseconds deadline_;
  int exceptions_before_ = std::uncaught_exceptions();
  ncclComm_t communicator_ = nullptr;
};

}  // namespace

bool nccl_is_built() { return true; }

bool nccl_orders_launches() {
  setenv("NCCL_LAUNCH_ORDER_IMPLICIT", "1", /*overwrite=*/0);
  int version = 0;
  return ncclGetVersion(&version) == ncclSuccess && version >= NCCL_VERSION(2, 26, 0) &&
         std::strcmp(std::getenv("NCCL_LAUNCH_ORDER_IMPLICIT"), "1") == 0;
}

std::unique_ptr<DeviceTransport> make_nccl_transport(Communicator& host, Device device,
                                                     std::chrono::milliseconds deadline) {
  // The id that rank 0 of the group made.
  ncclUniqueId id;
  agree(host, [&] {
    if (host.rank() != 0) return;
    if (const ncclResult_t result = ncclGetUniqueId(&id); result != ncclSuccess)
      throw InternalError("ncclGetUniqueId failed: {}", ncclGetErrorString(result));
  });
  const std::string bytes =
      host.broadcast(host.rank() == 0 ? std::string(id.internal, sizeof(id.internal)) : "", 0);
  std::memcpy(id.internal, bytes.data(), sizeof(id.internal));
  const auto make = [id, rank = host.rank(), size = host.size()](Making* making) {
    return ncclCommInitRankConfig(&making->made, size, id, rank, &making->config);
  };
  return std::make_unique<NcclTransport>(host, device, deadline, "ncclCommInitRankConfig", make);
}

}  // namespace lynceus::parallel
