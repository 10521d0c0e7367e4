// Communicator over MPI for host tensors. Counts beyond what MPI's int holds are cut into several
// calls. All-reduce is the library's own: Open MPI's algorithms (recursive doubling, ring, reduce
// and broadcast) form every element once, or pairwise in rank order, so the ranks agree to the bit;
// a test over 2 to 8 ranks holds it to that. bf16 is unknown to MPI: its sums travel as f32.
#include <algorithm>
#include <map>
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

void check_host(const Tensor& x) {
  LYNCEUS_CHECK(x.device().is_cpu(), "MPI moves host tensors only, found a device tensor {}",
                x.shape().to_string());
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

/// A datatype freed with its scope.
class Datatype {
 public:
  /// `count` elements, the next such block `stride` elements further on.
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
  MpiCommunicator(MPI_Comm handle, int64_t max_elements)
      : handle_(handle), max_elements_(max_elements) {
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

  void all_reduce(const Tensor& x, ReduceOp op) override {
    count(&CommunicationCounts::all_reduces, x);
    if (x.dtype() == DType::kBf16) {
      std::vector<float> wide = widen(x);
      add_over_ranks(view_of(wide), op);
      return round_into(wide, x);
    }
    add_over_ranks(x, op);
  }

  void all_gather(const Tensor& x, const Tensor& y) override;
  void reduce_scatter(const Tensor& x, const Tensor& y) override;
  void exchange(std::span<const Transfer> sends, std::span<const Transfer> receives) override;

  void broadcast(const Tensor& x, int root) override {
    LYNCEUS_CHECK(root >= 0 && root < size_, "root {} in a group of {}", root, size_);
    count(&CommunicationCounts::broadcasts, x);
    const MPI_Datatype type = type_of(x.dtype());
    for_each_piece(x.size(), max_elements_, [&](int64_t begin, int elements) {
      LYNCEUS_MPI(MPI_Bcast(at(x, begin), elements, type, root, handle_));
    });
  }

  void barrier() override {
    ++counts_.barriers;
    LYNCEUS_MPI(MPI_Barrier(handle_));
  }

 private:
  void add_over_ranks(const Tensor& x, ReduceOp op) {
    const MPI_Datatype type = number_type_of(x.dtype());
    for_each_piece(x.size(), max_elements_, [&](int64_t begin, int elements) {
      LYNCEUS_MPI(MPI_Allreduce(MPI_IN_PLACE, at(x, begin), elements, type, op_of(op), handle_));
    });
  }

  void scatter_sums(const Tensor& x, const Tensor& y);

  /// Calls `work(begin, elements)` for successive pieces of at most `limit` of `total` elements.
  template <typename Work>
  static void for_each_piece(int64_t total, int64_t limit, const Work& work) {
    for (int64_t begin = 0; begin < total; begin += limit)
      work(begin, static_cast<int>(std::min(limit, total - begin)));
  }

  /// As above where a call handles `size_` such pieces at once.
  int64_t limit_per_rank() const { return std::max<int64_t>(1, max_elements_ / size_); }

  void count(int64_t CommunicationCounts::*calls, const Tensor& x) {
    check_host(x);
    ++(counts_.*calls);
    counts_.bytes += static_cast<int64_t>(x.bytes());
  }

  struct Pending {
    MPI_Datatype type;
    int elements;
    int peer;
    bool receive;
  };
  /// Starts one side of an exchange, in list order for each peer.
  void post(std::span<const Transfer> transfers, bool receive, std::vector<MPI_Request>* requests,
            std::vector<Pending>* pending);
  /// Empty, or what went wrong with a transfer that has ended.
  static std::string fault_of(int code, const MPI_Status& status, const Pending& transfer);

  MPI_Comm handle_;
  int64_t max_elements_;
  int rank_ = 0;
  int size_ = 1;
};

void MpiCommunicator::all_gather(const Tensor& x, const Tensor& y) {
  LYNCEUS_CHECK(x.dtype() == y.dtype() && y.size() == size_ * x.size(),
                "all_gather over {} ranks of {} {} into {} {}", size_, name_of(x.dtype()),
                x.shape().to_string(), name_of(y.dtype()), y.shape().to_string());
  check_host(y);
  count(&CommunicationCounts::all_gathers, x);
  const MPI_Datatype type = type_of(x.dtype());
  const int64_t n = x.size();
  const bool in_place = n > 0 && x.raw() == at(y, rank_ * n);
  const auto source = [&](int64_t begin) -> void* {
    return in_place ? MPI_IN_PLACE : at(x, begin);
  };
  if (n <= limit_per_rank()) {
    const int elements = static_cast<int>(n);
    if (n > 0)
      LYNCEUS_MPI(MPI_Allgather(source(0), elements, type, y.raw(), elements, type, handle_));
    return;
  }
  for_each_piece(n, limit_per_rank(), [&](int64_t begin, int elements) {
    const Datatype piece(type, elements, n, static_cast<int64_t>(size_of(x.dtype())));
    LYNCEUS_MPI(
        MPI_Allgather(source(begin), elements, type, at(y, begin), 1, piece.get(), handle_));
  });
}

void MpiCommunicator::reduce_scatter(const Tensor& x, const Tensor& y) {
  LYNCEUS_CHECK(x.dtype() == y.dtype() && x.size() == size_ * y.size(),
                "reduce_scatter over {} ranks of {} {} into {} {}", size_, name_of(x.dtype()),
                x.shape().to_string(), name_of(y.dtype()), y.shape().to_string());
  check_host(y);
  count(&CommunicationCounts::reduce_scatters, x);
  if (x.dtype() == DType::kBf16) {
    std::vector<float> wide = widen(x);
    std::vector<float> part(static_cast<size_t>(y.size()));
    scatter_sums(view_of(wide), view_of(part));
    return round_into(part, y);
  }
  scatter_sums(x, y);
}

void MpiCommunicator::scatter_sums(const Tensor& x, const Tensor& y) {
  const MPI_Datatype type = number_type_of(x.dtype());
  const int64_t n = y.size();
  if (n <= limit_per_rank()) {
    if (n > 0)
      LYNCEUS_MPI(
          MPI_Reduce_scatter_block(x.raw(), y.raw(), static_cast<int>(n), type, MPI_SUM, handle_));
    return;
  }
  // Predefined operations take no derived datatypes, so pieces go to one root after the other.
  for (int root = 0; root < size_; ++root)
    for_each_piece(n, max_elements_, [&](int64_t begin, int elements) {
      LYNCEUS_MPI(MPI_Reduce(at(x, root * n + begin), at(y, begin), elements, type, MPI_SUM, root,
                             handle_));
    });
}

void MpiCommunicator::post(std::span<const Transfer> transfers, bool receive,
                           std::vector<MPI_Request>* requests, std::vector<Pending>* pending) {
  // The n-th tensor between a pair carries tag n; pieces of one tensor keep their order by MPI's
  // rule.
  constexpr int kTags = 32768;
  std::map<int, int> next_tag;
  for (const auto& [peer, tensor] : transfers) {
    if (tensor.size() == 0) continue;
    LYNCEUS_CHECK(peer >= 0 && peer < size_, "exchange with rank {} in a group of {}", peer, size_);
    check_host(tensor);
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
          pending->push_back({type, elements, to, receive});
        });
    if (!receive) counts_.bytes += static_cast<int64_t>(tensor.bytes());
  }
}

void MpiCommunicator::exchange(std::span<const Transfer> sends,
                               std::span<const Transfer> receives) {
  ++counts_.exchanges;
  std::vector<MPI_Request> requests;
  std::vector<Pending> pending;
  post(receives, true, &requests, &pending);
  post(sends, false, &requests, &pending);
  // One by one: Open MPI 4.1's MPI_Waitall can spin for ever after a transfer failed. All are
  // waited for before anything is thrown, because the tensors go away then.
  std::string fault;
  for (size_t i = 0; i < requests.size(); ++i) {
    MPI_Status status;
    const int code = MPI_Wait(&requests[i], &status);
    if (fault.empty()) fault = fault_of(code, status, pending[i]);
  }
  if (!fault.empty())
    throw InternalError("exchange on rank {} of a group of {}: {}", rank_, size_, fault);
}

std::string MpiCommunicator::fault_of(int code, const MPI_Status& status, const Pending& transfer) {
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

std::unique_ptr<Communicator> make_mpi_communicator(MPI_Comm handle, int64_t max_elements) {
  auto communicator = std::make_unique<MpiCommunicator>(handle, max_elements);
  if (communicator->size() == 1) return make_self_communicator();
  return communicator;
}

std::unique_ptr<Communicator> make_world() {
  // Errors before the first group has its own handler are returned too.
  LYNCEUS_MPI(MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN));
  LYNCEUS_MPI(MPI_Comm_set_errhandler(MPI_COMM_SELF, MPI_ERRORS_RETURN));
  MPI_Comm handle = MPI_COMM_NULL;
  LYNCEUS_MPI(MPI_Comm_dup(MPI_COMM_WORLD, &handle));
  return make_mpi_communicator(handle);
}

std::unique_ptr<Communicator> split(Communicator& parent, int color, int key) {
  if (parent.size() == 1) return make_self_communicator();
  MPI_Comm handle = MPI_COMM_NULL;
  LYNCEUS_MPI(MPI_Comm_split(mpi_handle(parent), color, key, &handle));
  return make_mpi_communicator(handle);
}

}  // namespace lynceus::parallel
