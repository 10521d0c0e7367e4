#include "io/checkpoint/snapshot.h"

#include <map>
#include <string>

#include "core/check.h"
#include "io/checkpoint/exchange.h"

namespace lynceus::io {
namespace {

constexpr uint64_t kAlignment = 64;

uint64_t aligned(uint64_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

/// Inputs of a host stream are in pinned memory.
Stream host_of(const Stream& compute) {
  return compute.device().is_cpu() ? Stream() : compute.host();
}

}  // namespace

StagingMemory::StagingMemory(const Stream& compute, uint64_t bytes)
    : compute_(compute),
      copies_(compute.device()),
      memory_(Tensor::zeros(host_of(compute), {static_cast<int64_t>(bytes)}, DType::kU8,
                            MemoryOwner::kInput)) {}

accelerator::Queue StagingMemory::begin() const {
  if (compute_.device().is_cpu()) return nullptr;
  const accelerator::Queue& queue = copies_.pool()->queue();
  accelerator::wait(queue, accelerator::record(compute_.pool()->queue()));
  return queue;
}

void StagingMemory::end() const {
  if (!compute_.device().is_cpu()) accelerator::synchronize(copies_.pool()->queue());
}

Tensor StagingMemory::place(const Shape& shape, DType dtype, uint64_t* at) const {
  const uint64_t size = static_cast<uint64_t>(shape.elements()) * size_of(dtype);
  LYNCEUS_CHECK(*at + size <= bytes(), "{} bytes of staging memory for a snapshot of more",
                bytes());
  const Tensor place = Tensor::borrow(static_cast<char*>(memory_.raw()) + *at, shape, dtype);
  *at += aligned(size);
  return place;
}

uint64_t staging_bytes(const std::vector<TensorPlan>& plans, int rank) {
  uint64_t bytes = 0;
  for (const TensorPlan& plan : plans) {
    const OwnedRows range = plan.owned_by(rank);
    bytes += aligned(static_cast<uint64_t>((range.end - range.begin) * plan.row_elements()) *
                     size_of(plan.dtype));
  }
  return bytes;
}

std::vector<Tensor> stage_rows(parallel::Communicator& world, const std::vector<TensorPlan>& plans,
                               std::span<const CheckpointTensor> tensors,
                               const StagingMemory& memory) {
  std::map<std::string, const CheckpointTensor*> by_name;
  for (const CheckpointTensor& tensor : tensors) by_name[tensor.name] = &tensor;
  const accelerator::Queue queue = memory.begin();
  std::vector<Tensor> rows;
  uint64_t at = 0;
  for (const TensorPlan& plan : plans) {
    const OwnedRows range = plan.owned_by(world.rank());
    Tensor target;
    if (range.begin < range.end)
      target = memory.place({range.end - range.begin, plan.row_elements()}, plan.dtype, &at);
    const auto mine = by_name.find(plan.name);
    stage_owned(world, plan, mine == by_name.end() ? nullptr : mine->second, queue, target);
    rows.push_back(target);
  }
  memory.end();
  return rows;
}

}  // namespace lynceus::io
