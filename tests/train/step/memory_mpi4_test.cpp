// Memory on 2 x 2 x 1 ranks: each holds weights, gradients and moments of its own share only, with
// the formulas of memory_test.cpp.
#include <gtest/gtest.h>

#include "parallel/mpi_session.h"
#include "tests/train/tiny_model.h"

namespace lynceus::train {
namespace {

using tiny::Kind;

constexpr int64_t kFloat = sizeof(float);

/// Elements that one rank of T x P holds, by module.
struct Share {
  int64_t bridge = 0, adapters = 0, llm = 0;
};

Share share_of(const model::ModelConfig& config, const parallel::Grid& grid,
               const parallel::LayerRange& layers) {
  const model::LlmConfig& llm = config.llm;
  const int64_t ranks = grid.tensor->size();
  const int64_t h = llm.hidden_size, v = config.vision.hidden_size;
  const int64_t b = config.bottleneck_size() / ranks;
  const int64_t inner = config.bridge.num_heads * config.bridge.head_dim;
  const int64_t ff = config.bridge.intermediate_factor * h;
  Share share;
  // The bridge is complete on every rank: norms, queries, keys and values, output, feed-forward.
  share.bridge = config.bridge.num_latents * h + 2 * h + config.vision.num_frames * v +
                 config.bridge.num_layers *
                     (2 * v + 2 * h + inner * h + 2 * inner * v + h * inner + 2 * h + 2 * ff * h);
  for (int64_t layer = layers.begin; layer < layers.end(); ++layer) {
    // Norm, down with bias by columns, up by rows with its complete bias, scaling.
    if (config.adapter.at_layer(layer)) share.adapters += 2 * h + (b * h + b) + (h * b + h) + 1;
    // Two complete norms; projections by heads, MLP by its inner width.
    const int64_t kv = llm.kv_heads() * llm.head_dim();
    share.llm += 2 * h + (2 * h * h + 2 * kv * h + 3 * h * llm.intermediate_size) / ranks;
  }
  const int64_t rows = (llm.vocab_size + ranks - 1) / ranks;  // with the padding of the last rank
  if (grid.first_stage()) share.llm += rows * h;
  if (grid.last_stage()) share.llm += rows * h + h;
  return share;
}

TEST(Memory, EachRankHoldsItsShareOfWhatIsTrained) {
  const auto world = parallel::make_world();
  for (const std::string train : {"bridge,adapter", "adapter", "bridge,adapter,llm"}) {
    SCOPED_TRACE(train);
    tiny::Options options;
    options.grid = {2, 2, 1};
    options.model.llm.train = train;
    const model::LlmConfig& llm = options.model.llm;
    tiny::Run run(parallel::split(*world, 0, world->rank()), options);
    run.step(tiny::make_batch(1, {Kind::kImage, Kind::kText, Kind::kVideo}));
    const parallel::Grid& grid = run.rt().grid;
    const Share share =
        share_of(options.model, grid,
                 model::partition_model(options.model, 2, "")[static_cast<size_t>(grid.stage())]);
    const int64_t trained = (llm.trains("bridge") ? share.bridge : 0) +
                            (llm.trains("adapter") ? share.adapters : 0) +
                            (llm.trains("llm") ? share.llm : 0);
    const auto live = [&](MemoryOwner owner) {
      return static_cast<int64_t>(run.rt().stream.pool()->live_bytes(owner));
    };
    EXPECT_EQ(live(MemoryOwner::kTrainableWeight), trained * kFloat);
    // Gradients are in one block; each begins at a cache line.
    const auto tensors = static_cast<int64_t>(run.optimizer().parameters().size());
    EXPECT_GE(live(MemoryOwner::kGradient), trained * kFloat);
    EXPECT_LE(live(MemoryOwner::kGradient), trained * kFloat + tensors * 60);
    EXPECT_EQ(live(MemoryOwner::kMoment), 2 * trained * kFloat);
    EXPECT_EQ(live(MemoryOwner::kActivation), 0) << "a step keeps no activation";
    EXPECT_EQ(live(MemoryOwner::kInput), 0);
    // All four together hold each split weight once.
    const int64_t all = grid.world->all_reduce(share.llm);
    EXPECT_GT(all, 0);
    EXPECT_LT(share.llm, all / 2);
  }
}

}  // namespace
}  // namespace lynceus::train
