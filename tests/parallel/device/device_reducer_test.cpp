// Gradients on a device, of two groups in alternation, in buckets of several sizes: the sums are
// exact, each over its own group, and overlap with the work submitted to the stream after them.
#include <deque>

#include "parallel/gradient_reducer.h"
#include "parallel/mpi_session.h"
#include "tests/parallel/device/device_test.h"

namespace lynceus::parallel {
namespace {

TEST(DeviceReducer, SumsEachGradientOverItsGroup) {
  const int rank = make_world()->rank();
  const int size = make_world()->size();
  const Stream stream = device_stream(rank);
  DeviceOptions options;
  options.transport = test_transport();
  const Grid grid = make_grid({2, 1, size / 2}, make_world(), stream, options);
  const auto expected = [&](int64_t n, int k, Communicator& group) {
    std::vector<int> sum(static_cast<size_t>(n));
    for (int other = 0; other < size; ++other) {
      if (&group == grid.data.get() && other % 2 != rank % 2) continue;
      const std::vector<int> values = whole_numbers(n, 100 * other + k);
      for (size_t i = 0; i < sum.size(); ++i) sum[i] += values[i];
    }
    return sum;
  };
  Communicator* const groups[] = {grid.world.get(), grid.data.get()};
  const int64_t sizes[] = {3, 40, 1, 7, 0, 1000, 12, 5, 500, 5};
  for (const size_t bucket_bytes : {size_t{4}, size_t{64}, size_t{2000}, kGradientBucketBytes}) {
    std::deque<Parameter> parameters;
    std::vector<GradientMember> members;
    for (int k = 0; k < 10; ++k) {
      Parameter& parameter = parameters.emplace_back();
      parameter.grad = Tensor::zeros(stream, {sizes[k]}, DType::kF32, MemoryOwner::kGradient);
      members.push_back({&parameter, groups[k / 2 % 2], 0});
    }
    GradientReducer reducer(stream, members, bucket_bytes);
    for (int step = 0; step < 3; ++step) {
      reducer.begin([](int) { return true; });
      for (size_t k = 0; k < 10; ++k) {
        const auto n = static_cast<int>(k) + 10 * step;
        parameters[k].grad.copy_from(
            tensor_of<float>(stream, whole_numbers(sizes[k], 100 * rank + n)));
        reducer.complete(k + 1);
      }
      reducer.finish();
      for (size_t k = 0; k < 10; ++k)
        EXPECT_EQ(values_of<float>(parameters[k].grad),
                  expected(sizes[k], static_cast<int>(k) + 10 * step, *groups[k / 2 % 2]))
            << "gradient " << k << ", buckets of " << bucket_bytes << ", step " << step;
    }
  }
}

}  // namespace
}  // namespace lynceus::parallel
