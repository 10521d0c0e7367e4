// All-reduce is the library's own: Open MPI's algorithms (recursive doubling, ring, reduce and
// broadcast) compute every element once, or pairwise in rank order, so the result is bit-equal on
// all ranks; a test over 2 to 8 ranks checks it. MPI has no bf16: its sums travel as f32.
#include "parallel/mpi_communicator.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <thread>
#include <vector>

#include "parallel/mpi_call.h"

namespace lynceus::parallel {

namespace {

MPI_Datatype type_of(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return MPI_FLOAT;
    case DType::kF64:
      return MPI_DOUBLE;
    case DType::kI32:
      return MPI_INT32_T;
    case DType::kI64:
      return MPI_INT64_T;
    case DType::kU8:
      return MPI_UINT8_T;
    case DType::kBf16:
    case DType::kF16:
      return MPI_UINT16_T;  // moved, never added
  }
  return MPI_DATATYPE_NULL;
}

MPI_Datatype number_type_of(DType dtype) {
  LYNCEUS_CHECK(dtype != DType::kBf16 && dtype != DType::kF16, "MPI cannot add {}", name_of(dtype));
  return type_of(dtype);
}

MPI_Op op_of(ReduceOp op) {
  switch (op) {
    case ReduceOp::kSum:
      return MPI_SUM;
    case ReduceOp::kMax:
      return MPI_MAX;
    case ReduceOp::kMin:
      return MPI_MIN;
  }
  return MPI_OP_NULL;
}

char* at(const Tensor& x, int64_t element) {
  return static_cast<char*>(x.raw()) + element * static_cast<int64_t>(size_of(x.dtype()));
}

std::vector<float> widen(const Tensor& x) {
  const std::span<const BFloat16> values = x.span<BFloat16>();
  std::vector<float> wide(values.size());
  std::transform(values.begin(), values.end(), wide.begin(),
                 [](BFloat16 value) { return static_cast<float>(value); });
  return wide;
}

void round_into(const std::vector<float>& wide, const Tensor& x) {
  std::transform(wide.begin(), wide.end(), x.data<BFloat16>(),
                 [](float value) { return BFloat16(value); });
}

Tensor view_of(std::vector<float>& values) {
  return Tensor::borrow(values.data(), {static_cast<int64_t>(values.size())}, DType::kF32);
}

/// MPI_Wait that sleeps: a little at first, for calls that are about to end.
int wait_asleep(MPI_Request* request, MPI_Status* status) {
  using std::chrono::microseconds;
  constexpr microseconds kFirst{20}, kLongest{1000};
  microseconds pause = kFirst;
  while (true) {
    int done = 0;
    const int code = MPI_Test(request, &done, status);
    if (code != MPI_SUCCESS || done != 0) return code;
    std::this_thread::sleep_for(pause);
    pause = std::min(2 * pause, kLongest);
  }
}

/// A datatype freed with its scope.
class Datatype {
 public:
  /// `count` elements; the next such block begins `stride` elements later.
  Datatype(MPI_Datatype element, int count, int64_t stride, int64_t element_bytes) {
    MPI_Datatype block = MPI_DATATYPE_NULL;
    LYNCEUS_MPI(MPI_Type_contiguous(count, element, &block));
    const int code = MPI_Type_create_resized(block, 0, stride * element_bytes, &type_);
    MPI_Type_free(&block);
    LYNCEUS_MPI(code);
    LYNCEUS_MPI(MPI_Type_commit(&type_));
  }
  ~Datatype() { MPI_Type_free(&type_); }
  Datatype(const Datatype&) = delete;
  Datatype& operator=(const Datatype&) = delete;
  MPI_Datatype get() const { return type_; }

 private:
  MPI_Datatype type_ = MPI_DATATYPE_NULL;
};

class MpiCommunicator final : public Communicator {
 public:
  MpiCommunicator(MPI_Comm handle, int64_t max_elements, Waiting waiting)
      : handle_(handle), max_elements_(max_elements), sleeps_(waiting == Waiting::kSleeps) {
    LYNCEUS_MPI(MPI_Comm_set_errhandler(handle_, MPI_ERRORS_RETURN));
    LYNCEUS_MPI(MPI_Comm_rank(handle_, &rank_));
    LYNCEUS_MPI(MPI_Comm_size(handle_, &size_));
  }
  ~MpiCommunicator() override {
    int finalized = 0;
    MPI_Finalized(&finalized);
    if (finalized == 0) MPI_Comm_free(&handle_);
  }

  int rank() const override { return rank_; }
  int size() const override { return size_; }
  MPI_Comm handle() const { return handle_; }

 protected:
  bool moves(Device device) const override { return device.is_cpu(); }

  Pending do_all_reduce(const Tensor& x, ReduceOp op) override {
    if (x.dtype() == DType::kBf16) {
      std::vector<float> wide = widen(x);
      add_over_ranks(view_of(wide), op);
      round_into(wide, x);
    } else {
      add_over_ranks(x, op);
    }
    return {};
  }

  Pending do_all_gather(const Tensor& x, const Tensor& y) override;
  Pending do_reduce_scatter(const Tensor& x, const Tensor& y) override;
  Pending do_exchange(std::span<const Transfer> sends, std::span<const Transfer> receives) override;

  Pending do_broadcast(const Tensor& x, int root) override {
    const MPI_Datatype type = type_of(x.dtype());
    for_each_piece(x.size(), max_elements_, [&](int64_t begin, int elements) {
      call([&] { return MPI_Bcast(at(x, begin), elements, type, root, handle_); },
           [&](MPI_Request* request) {
             return MPI_Ibcast(at(x, begin), elements, type, root, handle_, request);
           });
    });
    return {};
  }

  void do_barrier() override {
    call([&] { return MPI_Barrier(handle_); },
         [&](MPI_Request* request) { return MPI_Ibarrier(handle_, request); });
  }

 private:
  /// Makes a collective call: `now`, or `begin` and the wait for its request.
  template <typename Now, typename Begin>
  void call(const Now& now, const Begin& begin) {
    if (!sleeps_) {
      LYNCEUS_MPI(now());
      return;
    }
    MPI_Request request = MPI_REQUEST_NULL;
    LYNCEUS_MPI(begin(&request));
    LYNCEUS_MPI(wait_asleep(&request, MPI_STATUS_IGNORE));
  }

  void add_over_ranks(const Tensor& x, ReduceOp op) {
    const MPI_Datatype type = number_type_of(x.dtype());
    for_each_piece(x.size(), max_elements_, [&](int64_t begin, int elements) {
      call(
          [&] {
            return MPI_Allreduce(MPI_IN_PLACE, at(x, begin), elements, type, op_of(op), handle_);
          },
          [&](MPI_Request* request) {
            return MPI_Iallreduce(MPI_IN_PLACE, at(x, begin), elements, type, op_of(op), handle_,
                                  request);
          });
    });
  }

  void scatter_sums(const Tensor& x, const Tensor& y);

  /// Calls `work(begin, elements)` for successive pieces of at most `limit` of `total` elements.
  template <typename Work>
  static void for_each_piece(int64_t total, int64_t limit, const Work& work) {
    for (int64_t begin = 0; begin < total; begin += limit)
      work(begin, static_cast<int>(std::min(limit, total - begin)));
  }

  /// The limit for a call that handles `size_` such pieces at once.
  int64_t limit_per_rank() const { return std::max<int64_t>(1, max_elements_ / size_); }

  /// One request of an exchange.
  struct Posted {
    MPI_Datatype type;
    int elements;
    int peer;
    bool receive;
  };
  /// Starts one side of an exchange, in list order for each peer.
  void post(std::span<const Transfer> transfers, bool receive, std::vector<MPI_Request>* requests,
            std::vector<Posted>* posted);
  /// The error of a finished transfer; empty: none.
  static std::string fault_of(int code, const MPI_Status& status, const Posted& transfer);

  MPI_Comm handle_;
  int64_t max_elements_;
  bool sleeps_;
  int rank_ = 0;
  int size_ = 1;
};

Pending MpiCommunicator::do_all_gather(const Tensor& x, const Tensor& y) {
  const MPI_Datatype type = type_of(x.dtype());
  const int64_t n = x.size();
  const bool in_place = x.raw() == at(y, rank_ * n);
  const auto source = [&](int64_t begin) -> void* {
    return in_place ? MPI_IN_PLACE : at(x, begin);
  };
  if (n <= limit_per_rank()) {
    const int elements = static_cast<int>(n);
    call([&] { return MPI_Allgather(source(0), elements, type, y.raw(), elements, type, handle_); },
         [&](MPI_Request* request) {
           return MPI_Iallgather(source(0), elements, type, y.raw(), elements, type, handle_,
                                 request);
         });
    return {};
  }
  for_each_piece(n, limit_per_rank(), [&](int64_t begin, int elements) {
    const Datatype piece(type, elements, n, static_cast<int64_t>(size_of(x.dtype())));
    LYNCEUS_MPI(
        MPI_Allgather(source(begin), elements, type, at(y, begin), 1, piece.get(), handle_));
  });
  return {};
}

Pending MpiCommunicator::do_reduce_scatter(const Tensor& x, const Tensor& y) {
  if (x.dtype() == DType::kBf16) {
    std::vector<float> wide = widen(x);
    std::vector<float> part(static_cast<size_t>(y.size()));
    scatter_sums(view_of(wide), view_of(part));
    round_into(part, y);
  } else {
    scatter_sums(x, y);
  }
  return {};
}

void MpiCommunicator::scatter_sums(const Tensor& x, const Tensor& y) {
  const MPI_Datatype type = number_type_of(x.dtype());
  const int64_t n = y.size();
  if (n <= limit_per_rank()) {
    LYNCEUS_MPI(
        MPI_Reduce_scatter_block(x.raw(), y.raw(), static_cast<int>(n), type, MPI_SUM, handle_));
    return;
  }
  // Predefined operations take no derived datatypes, so each root gets its pieces in turn.
  for (int root = 0; root < size_; ++root)
    for_each_piece(n, max_elements_, [&](int64_t begin, int elements) {
      LYNCEUS_MPI(MPI_Reduce(at(x, root * n + begin), at(y, begin), elements, type, MPI_SUM, root,
                             handle_));
    });
}

void MpiCommunicator::post(std::span<const Transfer> transfers, bool receive,
                           std::vector<MPI_Request>* requests, std::vector<Posted>* posted) {
  // The n-th tensor between a pair of ranks has tag n; MPI keeps the order of the pieces of one
  // tensor.
  constexpr int kTags = 32768;
  std::map<int, int> next_tag;
  for (const auto& [peer, tensor] : transfers) {
    const MPI_Datatype type = type_of(tensor.dtype());
    const int tag = next_tag[peer]++ % kTags;
    for_each_piece(
        tensor.size(), max_elements_, [&, to = peer, &data = tensor](int64_t begin, int elements) {
          MPI_Request request = MPI_REQUEST_NULL;
          if (receive)
            LYNCEUS_MPI(MPI_Irecv(at(data, begin), elements, type, to, tag, handle_, &request));
          else
            LYNCEUS_MPI(MPI_Isend(at(data, begin), elements, type, to, tag, handle_, &request));
          requests->push_back(request);
          posted->push_back({type, elements, to, receive});
        });
  }
}

Pending MpiCommunicator::do_exchange(std::span<const Transfer> sends,
                                     std::span<const Transfer> receives) {
  std::vector<MPI_Request> requests;
  std::vector<Posted> posted;
  post(receives, true, &requests, &posted);
  post(sends, false, &requests, &posted);
  // One by one: MPI_Waitall of Open MPI 4.1 can spin forever after a failed transfer. All are
  // waited for before an error is thrown, because the tensors may be freed then.
  std::string fault;
  for (size_t i = 0; i < requests.size(); ++i) {
    MPI_Status status;
    const int code = sleeps_ ? wait_asleep(&requests[i], &status) : MPI_Wait(&requests[i], &status);
    if (fault.empty()) fault = fault_of(code, status, posted[i]);
  }
  if (!fault.empty())
    throw InternalError("exchange on rank {} of a group of {}: {}", rank_, size_, fault);
  return {};
}

std::string MpiCommunicator::fault_of(int code, const MPI_Status& status, const Posted& transfer) {
  const std::string what =
      fmt::format("{} rank {} of the group, {} elements",
                  transfer.receive ? "receive from" : "send to", transfer.peer, transfer.elements);
  if (code != MPI_SUCCESS) return fmt::format("{}: {}", what, mpi_error_text(code));
  if (!transfer.receive) return "";
  int elements = 0;
  LYNCEUS_MPI(MPI_Get_count(&status, transfer.type, &elements));
  if (elements == transfer.elements) return "";
  return fmt::format("{}: found {}", what, elements);
}

}  // namespace

MPI_Comm mpi_handle(const Communicator& communicator) {
  const auto* over_mpi = dynamic_cast<const MpiCommunicator*>(&communicator.host());
  if (over_mpi != nullptr) return over_mpi->handle();
  LYNCEUS_CHECK(communicator.size() == 1, "a group of {} ranks that is not an MPI group",
                communicator.size());
  return MPI_COMM_SELF;
}

std::unique_ptr<Communicator> make_mpi_communicator(MPI_Comm handle, int64_t max_elements,
                                                    Waiting waiting) {
  auto communicator = std::make_unique<MpiCommunicator>(handle, max_elements, waiting);
  if (communicator->size() == 1) return make_self_communicator();
  return communicator;
}

}  // namespace lynceus::parallel
