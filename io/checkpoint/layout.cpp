// Owners get consecutive complete blocks, so each rank writes one contiguous range per tensor. A
// row shard owns the blocks that begin in it, so most blocks need no message. Replicas share the
// blocks of the part that they replicate.
#include "io/checkpoint/layout.h"

#include <fmt/format.h>
#include <algorithm>
#include <limits>
#include <map>

#include "core/error.h"
#include "io/files/json.h"
#include "io/files/json_value.h"

namespace lynceus::io {

namespace {

struct Holding {
  int rank;
  int64_t offset;
  int64_t extent;
};

struct Group {
  DType dtype = DType::kF32;  // dtype, shape and axis: as on first_rank
  Shape shape;
  int axis = -1;
  std::string type_text;  // "[dtype,shape,axis]"
  int first_rank = 0;
  std::vector<Holding> holdings;
};

Shape global_shape_of(const CheckpointTensor& tensor) {
  Shape shape = tensor.local.shape();
  if (tensor.shard.axis >= 0) shape.set(tensor.shard.axis, tensor.shard.global_extent);
  return shape;
}

int64_t valid_extent_of(const CheckpointTensor& tensor) {
  return std::clamp<int64_t>(tensor.shard.global_extent - tensor.shard.offset, 0,
                             tensor.local.dim(tensor.shard.axis));
}

std::vector<TensorSlice> slices_of(const std::vector<Holding>& holdings) {
  std::map<std::pair<int64_t, int64_t>, std::vector<int>> by_place;
  for (const Holding& holding : holdings)
    if (holding.extent > 0) by_place[{holding.offset, holding.extent}].push_back(holding.rank);
  std::vector<TensorSlice> slices;
  slices.reserve(by_place.size());
  for (auto& [place, holders] : by_place)
    slices.push_back({place.first, place.second, std::move(holders)});
  return slices;
}

/// An error message; empty if the slices tile [0, extent).
std::string tiling_fault(const TensorPlan& plan) {
  const int64_t extent = plan.axis < 0 ? 1 : plan.shape[plan.axis];
  int64_t end = 0;
  for (const TensorSlice& slice : plan.slices) {
    if (slice.offset != end)
      return fmt::format("{}: {} along axis {} between {} and {} (rank {})", plan.name,
                         slice.offset > end ? "a gap" : "an overlap", plan.axis,
                         std::min(end, slice.offset), std::max(end, slice.offset),
                         slice.holders.front());
    end += slice.extent;
  }
  if (end == extent) return {};
  return fmt::format("{}: the shards end at {} of {} along axis {}", plan.name, end, extent,
                     plan.axis);
}

/// Distributes blocks [first, last) over `ranks`; `turn` chooses the rank that gets the first ones.
void share_blocks(TensorPlan& plan, int64_t first, int64_t last, const std::vector<int>& ranks,
                  size_t turn) {
  const auto count = static_cast<int64_t>(ranks.size());
  for (int64_t i = 0; i < count; ++i) {
    const int64_t begin = first + (last - first) * i / count;
    const int64_t end = first + (last - first) * (i + 1) / count;
    if (begin == end) continue;
    plan.owners.push_back({ranks[(static_cast<size_t>(i) + turn) % ranks.size()],
                           begin * plan.block_rows(),
                           std::min(end * plan.block_rows(), plan.rows())});
  }
}

void assign_owners(TensorPlan& plan, size_t turn) {
  if (plan.axis == 0) {
    const auto block_at = [&plan](int64_t row) {
      return (row + plan.block_rows() - 1) / plan.block_rows();
    };
    for (const TensorSlice& slice : plan.slices)
      share_blocks(plan, block_at(slice.offset), block_at(slice.offset + slice.extent),
                   slice.holders, turn);
    return;
  }
  std::vector<int> ranks;
  for (const TensorSlice& slice : plan.slices)
    ranks.insert(ranks.end(), slice.holders.begin(), slice.holders.end());
  share_blocks(plan, 0, digest_blocks(plan.shape, plan.dtype), ranks, turn);
}

DType dtype_named(const std::string& name) {
  for (const DType dtype : {DType::kF32, DType::kF64, DType::kI32, DType::kI64, DType::kU8})
    if (name == name_of(dtype)) return dtype;
  throw InternalError("checkpoints support f32, f64, i32, i64 and u8, not {}", name);
}

/// An entry of describe_tensors(), without its holding.
Group parse_group(const Json& entry, int rank) {
  Group group;
  group.dtype = dtype_named(entry.at(1).string());
  group.shape = Shape(entry.at(2).integers());
  group.axis = static_cast<int>(entry.at(3).integer());
  group.type_text = fmt::format("[{},{},{}]", entry.at(1).dump(), entry.at(2).dump(), group.axis);
  group.first_rank = rank;
  return group;
}

/// The texts come from the other ranks, not from a file: no limits.
constexpr JsonLimits kDescriptionLimits = {.max_bytes = std::numeric_limits<uint64_t>::max(),
                                           .max_values = std::numeric_limits<uint64_t>::max()};

}  // namespace

OwnedRows TensorPlan::rows_in_slice(const OwnedRows& owned, const TensorSlice& slice) const {
  if (axis != 0) return owned;
  const int64_t begin = std::max(owned.begin, slice.offset);
  const int64_t end = std::min(owned.end, slice.offset + slice.extent);
  return {owned.rank, begin, std::max(begin, end)};
}

OwnedRows TensorPlan::owned_by(int rank) const {
  for (const OwnedRows& owned : owners)
    if (owned.rank == rank) return owned;
  return {rank, 0, 0};
}

std::string describe_tensors(std::span<const CheckpointTensor> tensors) {
  JsonValue list = JsonValue::array();
  for (const CheckpointTensor& tensor : tensors) {
    LYNCEUS_CHECK(tensor.local.defined(), "{}: no local tensor", tensor.name);
    const TensorShard& shard = tensor.shard;
    LYNCEUS_CHECK(shard.axis < tensor.local.rank(), "{}: axis {} of a tensor {}", tensor.name,
                  shard.axis, tensor.local.shape().to_string());
    const Shape shape = global_shape_of(tensor);
    LYNCEUS_CHECK(shape.elements() > 0, "{}: {} has no elements", tensor.name, shape.to_string());
    const bool sharded = shard.axis >= 0;
    list.push_back(
        JsonValue::array({tensor.name, name_of(tensor.local.dtype()), shape.to_vector(), shard.axis,
                          sharded ? shard.offset : 0, sharded ? valid_extent_of(tensor) : 1}));
  }
  return list.dump();
}

std::vector<TensorPlan> plan_tensors(const std::vector<std::string>& descriptions) {
  std::map<std::string, Group> groups;
  std::vector<std::string> faults;
  for (size_t rank = 0; rank < descriptions.size(); ++rank) {
    const Json list = Json::parse(descriptions[rank], fmt::format("tensors of rank {}", rank),
                                  kDescriptionLimits);
    for (const Json& entry : list.elements()) {
      const std::string name = entry.at(0).string();
      Group read = parse_group(entry, static_cast<int>(rank));
      const std::string type_text = read.type_text;
      Group& group = groups.try_emplace(name, std::move(read)).first->second;
      if (group.type_text != type_text)
        faults.push_back(fmt::format("{}: [dtype, shape, axis] is {} on rank {} and {} on rank {}",
                                     name, group.type_text, group.first_rank, type_text, rank));
      if (!group.holdings.empty() && group.holdings.back().rank == static_cast<int>(rank))
        faults.push_back(fmt::format("{}: listed twice on rank {}", name, rank));
      group.holdings.push_back(
          {static_cast<int>(rank), entry.at(4).integer(), entry.at(5).integer()});
    }
  }
  std::vector<TensorPlan> plans;
  for (const auto& [name, group] : groups) {
    TensorPlan plan;
    plan.name = name;
    plan.dtype = group.dtype;
    plan.shape = group.shape;
    plan.axis = group.axis;
    plan.slices = slices_of(group.holdings);
    if (std::string fault = tiling_fault(plan); !fault.empty()) {
      faults.push_back(std::move(fault));
    } else {
      assign_owners(plan, plans.size());
    }
    plans.push_back(std::move(plan));
  }
  if (!faults.empty())
    throw InternalError("the ranks' tensors contradict each other: {}", fmt::join(faults, "; "));
  return plans;
}

std::vector<TensorPlan> plan_verification(const Manifest& manifest, int ranks) {
  std::vector<int> all(static_cast<size_t>(ranks));
  for (int rank = 0; rank < ranks; ++rank) all[static_cast<size_t>(rank)] = rank;
  std::vector<TensorPlan> plans;
  for (const ManifestTensor& tensor : manifest.tensors) {
    TensorPlan plan{tensor.name, tensor.shape, tensor.dtype, -1, {}, {}};
    share_blocks(plan, 0, digest_blocks(plan.shape, plan.dtype), all, plans.size());
    plans.push_back(std::move(plan));
  }
  return plans;
}

}  // namespace lynceus::io
