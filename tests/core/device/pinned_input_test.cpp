// Inputs of a device are in pinned memory: copies run while the host continues, and memory that
// the device has not read yet is not reused.
#include <gtest/gtest.h>

#include <thread>

#include "core/tensor.h"

namespace lynceus {
namespace {

constexpr int64_t kSize = 5000;

Tensor input_of(const Stream& host, float value) {
  const Tensor input = Tensor::empty(host, {kSize}, DType::kF32, MemoryOwner::kInput);
  for (float& element : input.span<float>()) element = value;
  return input;
}

TEST(PinnedInput, IsNotReusedBeforeTheDeviceHasReadIt) {
  const Stream stream(Device{DeviceKind::kCuda, 0});
  const Stream host = stream.host();
  std::vector<Tensor> on_device;
  for (int step = 0; step < 40; ++step) {
    const Tensor input = input_of(host, static_cast<float>(step));
    on_device.push_back(Tensor::empty(stream, {kSize}));
    on_device.back().copy_from(input);  // and the input is released
  }
  for (int step = 0; step < 40; ++step)
    EXPECT_EQ(on_device[static_cast<size_t>(step)].to_vector<float>(),
              std::vector<float>(kSize, static_cast<float>(step)))
        << "input " << step;
}

TEST(PinnedInput, IsReusedAfterTheDeviceHasReadIt) {
  const Stream stream(Device{DeviceKind::kCuda, 0});
  const Stream host = stream.host();
  const Tensor target = Tensor::empty(stream, {kSize});
  target.copy_from(input_of(host, 1));
  stream.synchronize();
  const size_t reserved = host.pool()->reserved_bytes();
  for (int step = 0; step < 10; ++step) {
    target.copy_from(input_of(host, 2));
    stream.synchronize();
  }
  EXPECT_EQ(host.pool()->reserved_bytes(), reserved);
  EXPECT_EQ(host.pool()->live_bytes(MemoryOwner::kInput), 0u);
}

// Loader threads allocate inputs. Without a device of their own they would open a context on device
// 0, with memory of its own; the stand-in ends the process then.
TEST(PinnedInput, IsTakenByOtherThreads) {
  const Stream stream(Device{DeviceKind::kCuda, 0});
  const Stream host = stream.host();
  const Tensor target = Tensor::empty(stream, {kSize});
  target.copy_from(input_of(host, 1));
  stream.synchronize();
  std::thread([&] { target.copy_from(input_of(host, 2)); }).join();
  EXPECT_EQ(target.to_vector<float>(), std::vector<float>(kSize, 2.0f));
}

TEST(PinnedInput, IsForInputsOfADeviceOnly) {
  const Stream cpu;
  const Stream host = cpu.host();
  const MemoryPool::Block block = host.pool()->allocate(100, MemoryOwner::kInput);
  EXPECT_FALSE(block.pinned);
  host.pool()->release(block);
  const Stream other_host = Stream(Device{DeviceKind::kCuda, 0}).host();
  const MemoryPool::Block other = other_host.pool()->allocate(100, MemoryOwner::kActivation);
  EXPECT_FALSE(other.pinned);
  other_host.pool()->release(other);
}

}  // namespace
}  // namespace lynceus
