// Common to the tests of device groups: the device of a rank, the transport that the environment
// selects (LYNCEUS_TEST_TRANSPORT=staged|nccl), tensors of whole numbers.
#pragma once

#include <gmock/gmock.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "core/error.h"
#include "parallel/device_communicator.h"
#include "parallel/grid.h"
#include "parallel/mpi_session.h"

namespace lynceus::parallel {

inline Transport test_transport() {
  const char* name = std::getenv("LYNCEUS_TEST_TRANSPORT");
  return name != nullptr && std::string(name) == "nccl" ? Transport::kNccl : Transport::kStaged;
}

/// NCCL requires one device per rank; the staged transport also works on a shared one.
inline Stream device_stream(int rank) {
  const int index = test_transport() == Transport::kNccl ? rank : 0;
  return Stream(Device{DeviceKind::kCuda, index});
}

/// All ranks as a group that moves the tensors of `stream`.
inline std::unique_ptr<Communicator> device_world(const Stream& stream,
                                                  DeviceOptions options = {}) {
  options.transport = test_transport();
  return make_device_world(make_world(), stream, options);
}

/// Skips all tests on machines with too few devices for the transport.
class NeedsDevices : public testing::Environment {
 public:
  void SetUp() override {
    const int needed = test_transport() == Transport::kNccl ? make_world()->size() : 1;
    const int found = accelerator::device_count();
    if (found < needed) GTEST_SKIP() << "needs " << needed << " devices, found " << found;
  }
};
inline testing::Environment* const needs_devices =
    testing::AddGlobalTestEnvironment(new NeedsDevices);

/// Small whole numbers, exact in every dtype.
inline std::vector<int> whole_numbers(int64_t n, int seed) {
  std::vector<int> values(static_cast<size_t>(n));
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<int>((i * 7 + static_cast<size_t>(seed) * 5) % 11);
  return values;
}

template <typename T>
Tensor tensor_of(const Stream& stream, const std::vector<int>& values) {
  std::vector<T> typed;
  for (const int value : values) {
    if constexpr (std::is_same_v<T, BFloat16>)
      typed.push_back(BFloat16(static_cast<float>(value)));
    else
      typed.push_back(static_cast<T>(value));
  }
  return Tensor::from(stream, {static_cast<int64_t>(typed.size())}, typed);
}

template <typename T>
std::vector<int> values_of(const Tensor& x) {
  std::vector<int> values;
  for (const T value : x.to_vector<T>()) {
    if constexpr (std::is_same_v<T, BFloat16>)
      values.push_back(static_cast<int>(static_cast<float>(value)));
    else
      values.push_back(static_cast<int>(value));
  }
  return values;
}

}  // namespace lynceus::parallel
