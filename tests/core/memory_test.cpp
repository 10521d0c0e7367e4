// The memory pool: counts by owner, and reuse of blocks in the next step.
#include "core/memory.h"

#include <gtest/gtest.h>

#include <cstring>
#include <thread>
#include <vector>

#include "core/tensor.h"

namespace lynceus {
namespace {

TEST(MemoryPool, CountsBytesAskedForByOwner) {
  MemoryPool pool(Device{});
  const auto weight = pool.allocate(1000, MemoryOwner::kFrozenWeight);
  const auto gradient = pool.allocate(300, MemoryOwner::kGradient);
  EXPECT_EQ(pool.live_bytes(MemoryOwner::kFrozenWeight), 1000u);
  EXPECT_EQ(pool.live_bytes(MemoryOwner::kGradient), 300u);
  EXPECT_EQ(pool.live_bytes(MemoryOwner::kMoment), 0u);
  EXPECT_GE(pool.reserved_bytes(), 1300u);
  pool.release(weight);
  EXPECT_EQ(pool.live_bytes(MemoryOwner::kFrozenWeight), 0u);
  EXPECT_EQ(pool.peak_bytes(MemoryOwner::kFrozenWeight), 1000u);
  pool.release(gradient);
}

TEST(MemoryPool, PeaksStartAgainFromWhatIsLive) {
  MemoryPool pool(Device{});
  const auto first = pool.allocate(5000, MemoryOwner::kActivation);
  const auto second = pool.allocate(7000, MemoryOwner::kActivation);
  pool.release(second);
  EXPECT_EQ(pool.peak_bytes(MemoryOwner::kActivation), 12000u);
  pool.reset_peaks();
  EXPECT_EQ(pool.peak_bytes(MemoryOwner::kActivation), 5000u);
  pool.release(first);
  EXPECT_EQ(pool.peak_bytes(MemoryOwner::kActivation), 5000u);
}

TEST(MemoryPool, ActivationsOfSimilarSizeReuseABlock) {
  MemoryPool pool(Device{});
  const auto first = pool.allocate(1'000'000, MemoryOwner::kActivation);
  void* const data = first.data;
  pool.release(first);
  const size_t reserved = pool.reserved_bytes();
  const auto second = pool.allocate(990'000, MemoryOwner::kActivation);
  EXPECT_EQ(second.data, data);
  EXPECT_EQ(pool.reserved_bytes(), reserved);
  pool.release(second);
  pool.trim();
  EXPECT_EQ(pool.reserved_bytes(), 0u);
}

TEST(MemoryPool, RoundingWastesAtMostAnEighth) {
  MemoryPool pool(Device{});
  for (size_t bytes = 4097; bytes < 40'000'000; bytes = bytes * 11 / 10 + 1) {
    const auto block = pool.allocate(bytes, MemoryOwner::kActivation);
    EXPECT_GE(block.capacity, bytes);
    EXPECT_LE(block.capacity, bytes + bytes / 8) << bytes;
    pool.release(block);
    pool.trim();
  }
}

TEST(MemoryPool, WeightsAreNotRoundedAndGoBackAtOnce) {
  MemoryPool pool(Device{});
  const auto block = pool.allocate(1'000'001, MemoryOwner::kTrainableWeight);
  EXPECT_EQ(block.capacity, 1'000'064u);
  EXPECT_EQ(pool.reserved_bytes(), 1'000'064u);
  pool.release(block);
  EXPECT_EQ(pool.reserved_bytes(), 0u);
}

TEST(MemoryPool, BlocksAreAlignedAndNeverShared) {
  MemoryPool pool(Device{});
  std::vector<MemoryPool::Block> blocks;
  for (size_t i = 0; i < 64; ++i) {
    blocks.push_back(pool.allocate(i * 100, MemoryOwner::kActivation));
    ASSERT_EQ(reinterpret_cast<uintptr_t>(blocks.back().data) % 64, 0u);
    std::memset(blocks.back().data, static_cast<int>(i), blocks.back().capacity);
  }
  for (size_t i = 0; i < blocks.size(); ++i) {
    const auto* bytes = static_cast<const unsigned char*>(blocks[i].data);
    EXPECT_EQ(bytes[0], i);
    EXPECT_EQ(bytes[blocks[i].capacity - 1], i);
    pool.release(blocks[i]);
  }
}

TEST(MemoryPool, ThreadsShareIt) {
  MemoryPool pool(Device{});
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread)
    threads.emplace_back([&pool] {
      for (size_t i = 0; i < 2000; ++i)
        pool.release(pool.allocate(4096 + i % 7 * 4096, MemoryOwner::kActivation));
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(pool.live_bytes(MemoryOwner::kActivation), 0u);
  EXPECT_LE(pool.reserved_bytes(), 4u * (4096 * 28 * 2));
}

TEST(MemoryPool, TensorsAreCountedWhileAnyHandleLives) {
  const Stream stream;
  Tensor moment = Tensor::zeros(stream, {8, 4}, DType::kF32, MemoryOwner::kMoment);
  Tensor handle = moment.slice(1, 2);
  EXPECT_EQ(stream.pool()->live_bytes(MemoryOwner::kMoment), 128u);
  moment = Tensor();
  EXPECT_EQ(stream.pool()->live_bytes(MemoryOwner::kMoment), 128u);
  handle = Tensor();
  EXPECT_EQ(stream.pool()->live_bytes(MemoryOwner::kMoment), 0u);
}

}  // namespace
}  // namespace lynceus
