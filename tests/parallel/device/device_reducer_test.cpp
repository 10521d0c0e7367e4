// Gradients on a device, of two groups in one list, through buckets of several sizes: the sums are
// exact, each over its own group, and the host waits for none of them.
#include "parallel/gradient_reducer.h"
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
    std::vector<GradientReduction> reductions;
    for (int k = 0; k < 10; ++k)
      reductions.push_back(
          {tensor_of<float>(stream, whole_numbers(sizes[k], 100 * rank + k)), groups[k % 2]});
    reduce_gradients(stream, reductions, bucket_bytes);
    for (int k = 0; k < 10; ++k)
      EXPECT_EQ(values_of<float>(reductions[static_cast<size_t>(k)].grad),
                expected(sizes[k], k, *groups[k % 2]))
          << "gradient " << k << ", buckets of " << bucket_bytes;
  }
}

}  // namespace
}  // namespace lynceus::parallel
