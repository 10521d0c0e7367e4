// Sums over the ranks, then words.
#include "train/run/start_lines.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <vector>

#include "core/text/units.h"

namespace lynceus::train {
namespace {

constexpr Module kModules[] = {Module::kVision, Module::kBridge, Module::kLlm, Module::kAdapter};

/// The elements of a parameter that this rank counts, so that the sum over the world is its global
/// size. The vision branch is on every rank, the LLM on every replica.
int64_t counted_elements(const Runtime& rt, const Parameter& parameter) {
  const bool counts =
      model::in_vision_branch(parameter)
          ? rt.grid.world->rank() == 0
          : rt.grid.data->rank() == 0 && (parameter.sharded() || rt.grid.tensor->rank() == 0);
  if (!counts) return 0;
  if (!parameter.sharded()) return parameter.value.size();
  return parameter.value.size() / parameter.value.dim(parameter.shard.axis) *
         parameter.valid_extent();
}

std::string describe_part(const char* state, const std::array<int64_t, 4>& counts) {
  int64_t sum = 0;
  std::vector<const char*> names;
  for (const Module module : kModules) {
    const int64_t count = counts[static_cast<size_t>(module)];
    sum += count;
    if (count > 0) names.push_back(name_of(module));
  }
  return fmt::format("{} {} ({})", count_text(sum), state, fmt::join(names, ", "));
}

}  // namespace

std::string describe_parameters(const Runtime& rt, model::LynxModel* model) {
  Tensor counts = Tensor::zeros(rt.host(), {2, 4}, DType::kI64);
  int64_t* entries = counts.data<int64_t>();
  // With tied embeddings the head of another stage is a copy of the first stage's embedding.
  const Parameter* copy = model->stage.embedding ? nullptr : model->stage.shared_between_stages();
  model->visit_parameters([&](Parameter& parameter) {
    if (&parameter == copy) return;
    entries[(parameter.trainable() ? 0 : 4) + static_cast<int>(parameter.module)] +=
        counted_elements(rt, parameter);
  });
  rt.grid.world->all_reduce(counts);
  std::array<int64_t, 4> trained, frozen;
  int64_t total = 0;
  for (size_t i = 0; i < 4; ++i) {
    trained[i] = entries[i];
    frozen[i] = entries[4 + i];
    total += trained[i] + frozen[i];
  }
  return fmt::format("{} parameters: {}, {}", count_text(total), describe_part("trained", trained),
                     describe_part("frozen", frozen));
}

std::string describe_memory(const Runtime& rt) {
  const MemoryPool& pool = *rt.stream.pool();
  const auto taken = static_cast<int64_t>(pool.reserved_bytes());
  const int64_t sum = rt.grid.world->all_reduce(taken);
  Tensor most = Tensor::zeros(rt.host(), {kMemoryOwners + 1}, DType::kI64);
  int64_t* bytes = most.data<int64_t>();
  for (size_t owner = 0; owner < kMemoryOwners; ++owner)
    bytes[owner] = static_cast<int64_t>(pool.peak_bytes(static_cast<MemoryOwner>(owner)));
  bytes[kMemoryOwners] = taken;
  rt.grid.world->all_reduce(most, parallel::ReduceOp::kMax);
  std::vector<std::string> parts;
  for (size_t owner = 0; owner < kMemoryOwners; ++owner)
    if (bytes[owner] > 0)
      parts.push_back(fmt::format("{} {}", name_of(static_cast<MemoryOwner>(owner)),
                                  bytes_text(static_cast<uint64_t>(bytes[owner]))));
  return fmt::format("at most {} on a rank, {} on average; at most, by use: {}",
                     bytes_text(static_cast<uint64_t>(bytes[kMemoryOwners])),
                     bytes_text(static_cast<uint64_t>(sum / rt.grid.world->size())),
                     fmt::join(parts, ", "));
}

}  // namespace lynceus::train
