// A piece is the part of an owner's rows that is in one slice. In both tensors it is a sequence of
// equal chunks at a fixed stride: one chunk per row (of all axes before the sharded one), as wide
// as the slice.
#include "io/checkpoint/exchange.h"

#include <cstring>

namespace lynceus::io {

namespace {

using parallel::Transfer;

/// `count` chunks of `chunk` bytes.
struct Piece {
  OwnedRows rows;  // the owner's rows that the slice covers, at least in part
  int64_t count = 0;
  int64_t chunk = 0;
  bool empty() const { return count == 0; }
};

/// The place of a piece's chunks in one tensor.
struct Place {
  char* first = nullptr;
  int64_t stride = 0;  // bytes
};

class Geometry {
 public:
  explicit Geometry(const TensorPlan& plan) : plan_(plan), row_bytes_(0) {
    const auto element = static_cast<int64_t>(size_of(plan.dtype));
    row_bytes_ = plan.row_elements() * element;
    if (plan.axis <= 0) return;
    inner_bytes_ = element;
    for (int axis = plan.axis + 1; axis < plan.shape.rank(); ++axis)
      inner_bytes_ *= plan.shape[axis];
    for (int axis = 1; axis < plan.axis; ++axis) outer_ *= plan.shape[axis];
  }

  Piece piece(const OwnedRows& owned, const TensorSlice& slice) const {
    Piece piece{plan_.rows_in_slice(owned, slice)};
    piece.count = (piece.rows.end - piece.rows.begin) * outer_;
    piece.chunk = plan_.axis <= 0 ? row_bytes_ : slice.extent * inner_bytes_;
    return piece;
  }
  Place in_owned(const Tensor& owned, const OwnedRows& range, const Piece& piece,
                 const TensorSlice& slice) const {
    char* row = static_cast<char*>(owned.raw()) + (piece.rows.begin - range.begin) * row_bytes_;
    if (plan_.axis <= 0) return {row, row_bytes_};
    return {row + slice.offset * inner_bytes_, plan_.shape[plan_.axis] * inner_bytes_};
  }
  Place in_local(const Tensor& local, const Piece& piece, const TensorSlice& slice) const {
    char* data = static_cast<char*>(local.raw());
    if (plan_.axis == 0) return {data + (piece.rows.begin - slice.offset) * row_bytes_, row_bytes_};
    if (plan_.axis < 0) return {data + piece.rows.begin * row_bytes_, row_bytes_};
    const int64_t stride = local.dim(plan_.axis) * inner_bytes_;
    return {data + piece.rows.begin * outer_ * stride, stride};
  }
  Shape owned_shape(const OwnedRows& range) const {
    return {range.end - range.begin, plan_.row_elements()};
  }

 private:
  const TensorPlan& plan_;
  int64_t row_bytes_;
  int64_t outer_ = 1;
  int64_t inner_bytes_ = 0;
};

Shape elements_of(const Piece& piece, DType dtype) {
  return {piece.count * piece.chunk / static_cast<int64_t>(size_of(dtype))};
}

void copy_chunks(const Place& target, const Place& source, const Piece& piece) {
  if (target.first == source.first) return;
  const auto chunk = static_cast<size_t>(piece.chunk);
  if (target.stride == piece.chunk && source.stride == piece.chunk) {
    std::memcpy(target.first, source.first, chunk * static_cast<size_t>(piece.count));
    return;
  }
  for (int64_t i = 0; i < piece.count; ++i)
    std::memcpy(target.first + i * target.stride, source.first + i * source.stride, chunk);
}

/// The piece as one contiguous tensor: the memory itself, or a copy.
Tensor packed(const Place& place, const Piece& piece, DType dtype, const Stream& host) {
  const Shape shape = elements_of(piece, dtype);
  if (place.stride == piece.chunk) return Tensor::borrow(place.first, shape, dtype);
  Tensor copy = Tensor::empty(host, shape, dtype);
  copy_chunks({static_cast<char*>(copy.raw()), piece.chunk}, place, piece);
  return copy;
}

const TensorSlice* slice_of(const TensorPlan& plan, int rank) {
  for (const TensorSlice& slice : plan.slices)
    for (const int holder : slice.holders)
      if (holder == rank) return &slice;
  return nullptr;
}

/// The replica of `slice` that sends to `owner`: the owner itself if it holds `slice`; otherwise
/// the holder at the same position as the owner has among the holders of its own slice, which is
/// its neighbour in the grid.
int source_for(const TensorPlan& plan, const TensorSlice& slice, int owner) {
  const TensorSlice* own = slice_of(plan, owner);
  size_t place = 0;
  for (size_t i = 0; own != nullptr && i < own->holders.size(); ++i)
    if (own->holders[i] == owner) place = i;
  if (own == &slice) return owner;
  return slice.holders[place % slice.holders.size()];
}

/// Whether a rank sends or receives in gather_owned().
bool exchanges(const TensorPlan& plan, int rank) {
  const Geometry geometry(plan);
  const TensorSlice* own = slice_of(plan, rank);
  for (const OwnedRows& owner : plan.owners)
    for (const TensorSlice& slice : plan.slices) {
      const bool sends = &slice == own && source_for(plan, slice, owner.rank) == rank;
      const bool is_mine = owner.rank == rank;
      if (!sends && !is_mine) continue;
      if (geometry.piece(owner, slice).empty()) continue;
      if (is_mine != (&slice == own)) return true;
    }
  return false;
}

Tensor on_host(const Tensor& tensor, const Stream& host) {
  if (tensor.device().is_cpu()) return tensor;
  Tensor copy = Tensor::empty(host, tensor.shape(), tensor.dtype());
  tensor.copy_to_host(copy.raw());
  return copy;
}

/// A message being received and the place of its chunks.
struct Arrival {
  Tensor tensor;
  Place place;
  Piece piece;
};

}  // namespace

Tensor gather_owned(parallel::Communicator& world, const TensorPlan& plan,
                    const CheckpointTensor* mine, const Stream& host) {
  const int rank = world.rank();
  const Geometry geometry(plan);
  const OwnedRows range = plan.owned_by(rank);
  const TensorSlice* own_slice = slice_of(plan, rank);
  const Tensor local = mine == nullptr ? Tensor() : on_host(mine->local, host);
  std::vector<Transfer> sends;
  std::vector<Transfer> receives;
  if (own_slice != nullptr) {
    for (const OwnedRows& owner : plan.owners) {
      const Piece piece = geometry.piece(owner, *own_slice);
      if (owner.rank == rank || piece.empty() || source_for(plan, *own_slice, owner.rank) != rank)
        continue;
      sends.push_back({owner.rank, packed(geometry.in_local(local, piece, *own_slice), piece,
                                          plan.dtype, host)});
    }
  }
  Tensor owned;
  std::vector<Arrival> arrivals;
  if (range.begin < range.end) {
    const Piece whole = own_slice == nullptr ? Piece{} : geometry.piece(range, *own_slice);
    if (plan.axis <= 0 && whole.rows.end - whole.rows.begin == range.end - range.begin) {
      Tensor view = packed(geometry.in_local(local, whole, *own_slice), whole, plan.dtype, host);
      // A host copy of device memory must outlive this call; host memory is the caller's.
      owned = mine->local.device().is_cpu() ? view : view.clone(host);
      owned = owned.reshape(geometry.owned_shape(range));
    } else {
      owned = Tensor::empty(host, geometry.owned_shape(range), plan.dtype);
      for (const TensorSlice& slice : plan.slices) {
        const Piece piece = geometry.piece(range, slice);
        if (piece.empty()) continue;
        const Place place = geometry.in_owned(owned, range, piece, slice);
        if (&slice == own_slice) {
          copy_chunks(place, geometry.in_local(local, piece, slice), piece);
          continue;
        }
        Tensor buffer = Tensor::empty(host, elements_of(piece, plan.dtype), plan.dtype);
        receives.push_back({source_for(plan, slice, rank), buffer});
        arrivals.push_back({buffer, place, piece});
      }
    }
  }
  world.exchange(sends, receives);
  for (const Arrival& arrival : arrivals)
    copy_chunks(arrival.place, {static_cast<char*>(arrival.tensor.raw()), arrival.piece.chunk},
                arrival.piece);
  return owned;
}

void stage_owned(parallel::Communicator& world, const TensorPlan& plan,
                 const CheckpointTensor* mine, const accelerator::Queue& queue,
                 const Tensor& target) {
  const int rank = world.rank();
  const OwnedRows range = plan.owned_by(rank);
  const TensorSlice* slice = slice_of(plan, rank);
  if (exchanges(plan, rank)) {
    const Tensor owned = gather_owned(world, plan, mine, Stream());
    if (owned.defined()) target.copy_from(owned);
    return;
  }
  if (range.begin == range.end || slice == nullptr) return;
  const Geometry geometry(plan);
  const Piece piece = geometry.piece(range, *slice);
  const Place rows = geometry.in_local(mine->local, piece, *slice);
  if (mine->local.device().is_cpu())
    std::memcpy(target.raw(), rows.first, target.bytes());
  else
    accelerator::copy(queue, target.raw(), rows.first, target.bytes());
}

void scatter_owned(parallel::Communicator& world, const TensorPlan& plan, const Tensor& owned,
                   const CheckpointTensor* mine, const Stream& host) {
  const int rank = world.rank();
  const Geometry geometry(plan);
  const OwnedRows range = plan.owned_by(rank);
  const TensorSlice* own_slice = slice_of(plan, rank);
  std::vector<Transfer> sends;
  std::vector<Transfer> receives;
  for (const TensorSlice& slice : plan.slices) {
    const Piece piece = geometry.piece(range, slice);
    if (piece.empty()) continue;
    const Tensor message =
        packed(geometry.in_owned(owned, range, piece, slice), piece, plan.dtype, host);
    for (const int holder : slice.holders)
      if (holder != rank) sends.push_back({holder, message});
  }
  Tensor local;
  if (mine != nullptr) {
    local = mine->local.device().is_cpu()
                ? mine->local
                : Tensor::empty(host, mine->local.shape(), mine->local.dtype());
    local.fill_zero();
  }
  std::vector<Arrival> arrivals;
  if (own_slice != nullptr) {
    for (const OwnedRows& owner : plan.owners) {
      const Piece piece = geometry.piece(owner, *own_slice);
      if (piece.empty()) continue;
      const Place place = geometry.in_local(local, piece, *own_slice);
      if (owner.rank == rank) {
        copy_chunks(place, geometry.in_owned(owned, range, piece, *own_slice), piece);
        continue;
      }
      const bool direct = place.stride == piece.chunk;
      const Shape shape = elements_of(piece, plan.dtype);
      Tensor buffer = direct ? Tensor::borrow(place.first, shape, plan.dtype)
                             : Tensor::empty(host, shape, plan.dtype);
      receives.push_back({owner.rank, buffer});
      if (!direct) arrivals.push_back({buffer, place, piece});
    }
  }
  world.exchange(sends, receives);
  for (const Arrival& arrival : arrivals)
    copy_chunks(arrival.place, {static_cast<char*>(arrival.tensor.raw()), arrival.piece.chunk},
                arrival.piece);
  if (mine != nullptr && !mine->local.device().is_cpu()) mine->local.copy_from_host(local.raw());
}

}  // namespace lynceus::io
